# shellcheck shell=bash
# A file with the keys in the place of their marks: fill FILE SERVER…; what each server told is in told/SERVER.

fill() {
  local server key
  mapfile -d '' -t text <"$1"
  for server in "${@:2}"; do
    key=$(sed -n 2p "told/$server")
    [ -n "$key" ] || { echo "$server told no key" >&2; return 1; }
    text[0]=${text[0]//"@key:$server@"/"$key"}
  done
  printf %s "${text[0]}"
}

# own_name SECONDS: print what this server calls itself, by which Chef server finds its role. Without DNS within SECONDS, or with
# no name of its own, a server says nothing that can be compared.
own_name() {
  said=$(timeout "$1" hostname -f 2> /dev/null | tr '[:upper:]' '[:lower:]')
  case ${said%.} in
    localhost* | *[!a-z0-9.-]*) ;;
    *.*) printf '%s\n' "${said%.}" ;;
  esac
}

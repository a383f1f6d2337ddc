# write_file MODE PATH TEXT: write a file completely or not at all.
write_file() {
  printf %s "$3" > "$2.new"
  chmod "$1" "$2.new"
  mv "$2.new" "$2"
}

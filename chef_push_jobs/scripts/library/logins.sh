# authorized_keys_of USER: the file in which sshd looks for the keys of a login user; empty if there is none.
#
# If there are several, the default one if it is among them. sshd reads its settings as root, and only where it can be run;
# without it, the default.
authorized_keys_of() {
  home=$(getent passwd "$1" | cut -d: -f6)
  places=$(PATH=$PATH:/usr/sbin:/sbin sshd -T -C "user=$1,host=localhost,addr=127.0.0.1" 2> /dev/null |
    sed -n 's/^authorizedkeysfile //p')
  case " ${places:=.ssh/authorized_keys} " in
    *" none "*) return ;;
    *" .ssh/authorized_keys "* | *" %h/.ssh/authorized_keys "*) places=.ssh/authorized_keys ;;
  esac
  place=$(printf '%s\n' "${places%% *}" | sed "s|%h|$home|g; s|%u|$1|g; s|%%|%|g")
  case $place in
    /*) printf '%s\n' "$place" ;;
    *) printf '%s\n' "$home/$place" ;;
  esac
}

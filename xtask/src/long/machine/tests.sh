# Inside the machine: runs test programs. Arguments: the folder to run them in, then each program with its further words.
cd "$1" || exit
shift
ends=0
while [ $# -gt 0 ]; do
    echo "== $(basename "$1")"
    # shellcheck disable=SC2086
    "$1" --show-output $2 || { echo "failed: $1"; ends=1; }
    shift 2
done
exit $ends

# Sourced first by the launch scripts, which set `self` to their names: help, refusals and options.

refuse() { echo "$self: $1" >&2; exit "${2:-2}"; } # refuse MESSAGE [CODE]

# The text of --help is the comment at the head of the script.
print_help() { sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$0"; }

# help_if_asked WORD...: prints the help and ends the script if one of the words asks for it.
help_if_asked() {
  local word
  for word in "$@"; do
    if [[ $word == --help || $word == -h ]]; then print_help; exit 0; fi
  done
}

# take_options DECLARATION... -- WORD...: reads the options at the head of the words. A declaration is
#   name=    an option with a value, `--name VALUE` or `--name=VALUE`, which sets the variable `name`
#   name+=   the same; may be repeated, and adds to the array `name`
#   name     a switch, which sets the variable `name` to yes
# Dashes in names become underscores in variables. `--` ends the options. What follows them is in the array `words`.
take_options() {
  local declared=' ' variable
  while [[ $1 != -- ]]; do
    declared+="$1 "
    shift
  done
  shift
  while [[ $# -gt 0 ]]; do
    if [[ $1 =~ ^(--[a-z-]+)=(.*)$ ]]; then set -- "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "${@:2}"; fi
    case $1 in
      --help | -h) print_help; exit 0 ;;
      --) shift; break ;;
      -*) ;;
      *) break ;;
    esac
    variable=${1#--}
    variable=${variable//-/_}
    if [[ $declared == *" ${1#--} "* ]]; then
      printf -v "$variable" yes
      shift
      continue
    fi
    [[ $declared == *" ${1#--}= "* || $declared == *" ${1#--}+= "* ]] ||
      refuse "there is no option \`$1\`; see $self --help (options of the run come after the configuration)"
    [[ $# -ge 2 ]] || refuse "$1 has no value; see $self --help"
    if [[ $declared == *" ${1#--}+= "* ]]; then
      local -n array=$variable
      array+=("$2")
      unset -n array
    else
      printf -v "$variable" %s "$2"
    fi
    shift 2
  done
  words=("$@")
}

# require_positive NAME...: the values of these options are whole numbers from 1 on; empty ones are not checked.
require_positive() {
  local name variable
  for name in "$@"; do
    variable=${name//-/_}
    [[ -z ${!variable} || ${!variable} =~ ^[1-9][0-9]*$ ]] || refuse "--$name: \`${!variable}\` is not a positive number"
  done
}

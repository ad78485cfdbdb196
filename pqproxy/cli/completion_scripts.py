"""Shell scripts that complete a command line.

All three do the same: find the command that the words so far name, then offer what the option
before the cursor takes, or else the options and commands of that command. A script holds only what
the tree held when it was made, so completing starts no interpreter.
"""

from collections.abc import Callable, Iterator

from pqproxy.cli.tree import Command, Option

_BASH = """\
# bash completion for pqproxy
_pqproxy() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command=pqproxy word
    local IFS=$' \\t\\n'
    COMPREPLY=()
    # bash splits --option=value at the sign
    if [ "$cur" = "=" ]; then cur=
    elif [ "$prev" = "=" ]; then prev=${{COMP_WORDS[COMP_CWORD-2]}}; fi
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$command $word" in
{commands}
        esac
    done
    case "$command $prev" in
{values}
    esac
    case "$command" in
{words}
    esac
}}
complete -F _pqproxy pqproxy
"""

_ZSH = """\
#compdef pqproxy
# zsh completion for pqproxy
_pqproxy() {{
    local command=pqproxy word
    local -a offered
    for word in ${{words[2,CURRENT-1]}}; do
        case "$command $word" in
{commands}
        esac
    done
    case "$command ${{words[CURRENT-1]}}" in
{values}
    esac
    case "$command" in
{words}
    esac
}}
if [ "$funcstack[1]" = _pqproxy ]; then _pqproxy "$@"; else compdef _pqproxy pqproxy; fi
"""

_FISH = """\
# fish completion for pqproxy
function __pqproxy_command
    set -l command pqproxy
    for word in (commandline -opc)[2..-1]
        switch "$command $word"
{commands}
        end
    end
    echo $command
end
complete -c pqproxy -f
{words}
"""


def bash(root: Command) -> str:
    """For bash 3.2 and later."""

    def value(command: Command, option: Option) -> str:
        if option.completes:
            flag = "-d" if option.completes == "directories" else "-f"
            offer = f"IFS=$'\\n'; COMPREPLY=($(compgen {flag} -- \"$cur\"))"
            offer += "; compopt -o filenames 2>/dev/null"
        elif option.choices:
            offer = f'COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$cur"))'
        else:
            offer = ":"  # nobody can guess it
        return f"        {_case(command, option)}) {offer}; return ;;"

    def words(command: Command) -> str:
        line = f'COMPREPLY=($(compgen -W "{" ".join(_words(command))}" -- "$cur"))'
        if any(positional.completes for positional in command.positionals):
            files = "IFS=$'\\n'; COMPREPLY+=($(compgen -f -- \"$cur\"))"
            line += f"; {files}; compopt -o filenames 2>/dev/null"
        return f'        "{command.name}") {line} ;;'

    return _BASH.format(
        commands=_transitions(root, '            "{0}") command="{1}" ;;'),
        values="\n".join(value(command, option) for command, option in _options(root)),
        words="\n".join(words(command) for command in root.walk()),
    )


def zsh(root: Command) -> str:
    """For zsh, to be found in $fpath or sourced."""

    def value(command: Command, option: Option) -> str:
        if option.completes:
            offer = "_files -/" if option.completes == "directories" else "_files"
        elif option.choices:
            offer = f"compadd -- {' '.join(option.choices)}"
        else:
            offer = "_message value"
        return f"        {_case(command, option)}) {offer}; return ;;"

    def words(command: Command) -> Iterator[str]:
        yield f'        "{command.name}")'
        yield "            offered=("
        for word, help_text in _described(command):
            yield f"                {_quoted(word.replace(':', chr(92) + ':') + ':' + help_text)}"
        yield "            )"
        yield "            _describe argument offered"
        if any(positional.completes for positional in command.positionals):
            yield "            _files"
        yield "            ;;"

    return _ZSH.format(
        commands=_transitions(root, '            "{0}") command="{1}" ;;'),
        values="\n".join(value(command, option) for command, option in _options(root)),
        words="\n".join(line for command in root.walk() for line in words(command)),
    )


def fish(root: Command) -> str:
    """For fish 3 and later."""

    def words(command: Command) -> Iterator[str]:
        here = f"complete -c pqproxy -n 'test (__pqproxy_command) = \"{command.name}\"'"
        for child in command.commands:
            yield f"{here} -a {child.path[-1]} -d {_quoted(child.summary)}"
        for option in command.options:
            names = " ".join(
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
                for name in option.names
            )
            yield f"{here} {names} -d {_quoted(option.help)}{_fish_value(option)}"
        for positional in command.positionals:
            if positional.choices:
                yield f"{here} -a {_quoted(' '.join(positional.choices))}"
            elif positional.completes:
                yield f"{here} -F"

    return _FISH.format(
        commands=_transitions(root, '            case "{0}"\n                set command "{1}"'),
        words="\n".join(line for command in root.walk() for line in words(command)),
    )


def _fish_value(option: Option) -> str:
    if not option.takes_value:
        return ""
    if option.choices:
        return f" -x -a {_quoted(' '.join(option.choices))}"
    if option.completes == "directories":
        return " -x -a '(__fish_complete_directories)'"
    return " -r -F" if option.completes else " -x"


def _transitions(root: Command, form: str) -> str:
    """How a word leads from a command to one below it; `pqproxy -c F` is `pqproxy run -c F`."""
    ways = [(command.name, command.name) for command in root.walk() if command is not root]
    ways += [(f"{root.name} {option}", f"{root.name} run") for option in ("-c", "--config")]
    return "\n".join(form.format(*way) for way in ways)


def _options(root: Command) -> Iterator[tuple[Command, Option]]:
    """Every option that takes a value, with its command."""
    for command in root.walk():
        for option in command.options:
            if option.takes_value:
                yield command, option


def _case(command: Command, option: Option) -> str:
    return "|".join(f'"{command.name} {name}"' for name in option.names)


def _words(command: Command) -> list[str]:
    return [word for word, _ in _described(command)]


def _described(command: Command) -> Iterator[tuple[str, str]]:
    """Everything that may come next, with what it is for."""
    for child in command.commands:
        yield child.path[-1], child.summary
    for positional in command.positionals:
        for choice in positional.choices:
            yield choice, ""
    for option in command.options:
        for name in option.names:
            yield name, option.help


def _quoted(text: str) -> str:
    r"""In single quotes, for zsh and fish alike: `'` is written `'\''`."""
    return "'" + text.replace("\\", "\\\\").replace("'", "'\\''") + "'"


SCRIPTS: dict[str, Callable[[Command], str]] = {"bash": bash, "zsh": zsh, "fish": fish}

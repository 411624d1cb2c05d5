# Completion of ms and its programs for bash. What "ms completion bash" answers is
# inserted as it is, already quoted, and never evaluated.

_ms() {
	local how word i
	COMPREPLY=()
	{
		IFS= read -r how
		while IFS= read -r word; do COMPREPLY+=("$word"); done
	} < <(command ms completion bash "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
	case $how in
	files) compopt -o default +o nospace ;;
	folders) compopt -o dirnames +o nospace ;;
	command)
		for ((i = 1; i < COMP_CWORD; i++)); do [[ ${COMP_WORDS[i]} == -- ]] && break; done
		if declare -F _comp_command_offset >/dev/null; then
			_comp_command_offset $((i + 1))
		elif declare -F _command_offset >/dev/null; then
			_command_offset $((i + 1))
		elif ((COMP_CWORD == i + 1)) && [[ $2 != */* ]]; then
			while IFS= read -r word; do
				printf -v word '%q ' "$word"
				COMPREPLY+=("$word")
			done < <(compgen -c -- "$2")
		else
			compopt -o default +o nospace
		fi
		;;
	esac 2>/dev/null
}

# bash 3.2, as macOS has it, cannot choose for each word.
if type compopt >/dev/null 2>&1; then
	complete -o nospace -F _ms @PROGRAMS@
else
	complete -o default -o nospace -F _ms @PROGRAMS@
fi

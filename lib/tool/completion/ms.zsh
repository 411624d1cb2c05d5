#compdef @PROGRAMS@
# Completion of ms and its programs for zsh. What "ms completion zsh" answers goes to
# compadd as it is, which quotes it, and is never evaluated.

_ms() {
	local how line tab=$'\t' current
	local -a answer goes_on goes_on_shown ends ends_shown
	case $compstate[quote] in
	\') current=${(Q):-\'$PREFIX\'} ;;
	\") current=${(Q):-\"$PREFIX\"} ;;
	*) current=${(Q)PREFIX} ;;
	esac
	answer=("${(@f)$(command ms completion zsh "${(@Q)words[1,CURRENT-1]}" "$current" 2>/dev/null)}")
	how=$answer[1]
	shift answer
	case $how in
	files) compset -P '*='; _files ;;
	folders) compset -P '*='; _files -/ ;;
	command)
		local -i at=$words[(i)--]
		shift $at words
		(( CURRENT -= at ))
		_normal
		;;
	words)
		for line in "$answer[@]"; do
			[[ -n $line ]] || continue
			local text=${line%%$tab*} about=${line#*$tab}
			local shown=$text${about:+  -- $about}
			if [[ $text == *[/=] ]]; then
				goes_on+=("$text") goes_on_shown+=("$shown")
			else
				ends+=("$text") ends_shown+=("$shown")
			fi
		done
		compadd -S '' -d goes_on_shown -a -- goes_on
		compadd -d ends_shown -a -- ends
		;;
	esac
}

if [[ $funcstack[1] == _ms ]]; then
	_ms "$@"
else
	compdef _ms @PROGRAMS@
fi

# Completion of ms and its programs for fish. What "ms completion fish" answers are
# lines, which fish quotes as it inserts them, and never evaluates.

# __ms_ask puts the words into __ms_answer. It fails if files are to be completed.
function __ms_ask
    set -l before (commandline -opc)
    set -l typed (commandline -ct)
    set -l current (string unescape -- $typed; or string unescape -- $typed\'; or string unescape -- $typed\")
    set -g __ms_answer (command ms completion fish $before "$current" 2>/dev/null)
    set -l how $__ms_answer[1]
    set -e __ms_answer[1]
    switch "$how"
        case files
            return 1
        case folders
            set -g __ms_answer (__fish_complete_directories "$typed" '')
        case command
            set -g __ms_answer (complete -C (string replace -r -- '^.*?\s--\s+' '' (commandline -pc)))
    end
    return 0
end

for program in @PROGRAMS@
    complete -c $program -f -n __ms_ask -a '$__ms_answer'
end

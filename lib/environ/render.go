package environ

import (
	"bytes"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// form is how one variable is written. refuse, where a form has one, says why
// it cannot carry a variable exactly.
type form struct {
	refuse func(name, value string) error
	write  func(b *bytes.Buffer, name, value string)
}

// forms are the written forms in which each variable stands for itself.
var forms = map[Format]form{
	Lines:      {refuseLines, writeLines},
	Sh:         {refuseSh, writeSh},
	Dotenv:     {refuseDotenv, writeDotenv},
	YAML:       {refuseYAML, writeYAML},
	GitHub:     {refuseGitHub, writeGitHub},
	TFVars:     {refuseTFVars, writeTFVars},
	Properties: {requireUTF8, writeProperties},
	CSV:        {refuseCSV, writeCSV},
	TSV:        {refuseTSV, writeTSV},
	Nul:        {refuseNothing, writeNul},
}

// Render writes e in the form f, one of [OutputFormats], sorted by name. What
// reads the form gets back e exactly; a variable for which that does not hold
// is refused, and the error names it and says why.
func (e Env) Render(f Format) ([]byte, error) {
	switch f {
	case JSON:
		if err := e.checkForm(f, requireUTF8); err != nil {
			return nil, err
		}
		data, err := e.Marshal()
		if err != nil {
			return nil, err
		}
		return append(data, '\n'), nil
	case GitHubMask:
		return e.masks()
	}
	form, ok := forms[f]
	if !ok {
		return nil, errors.New("this form of an environment cannot be written")
	}
	if err := e.checkForm(f, form.refuse); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if f == YAML && len(e) == 0 {
		b.WriteString("{}\n") // nothing at all would be null
	}
	for _, name := range e.Names() {
		form.write(&b, name, e[name])
	}
	return b.Bytes(), nil
}

// checkForm is check with a remedy for what the form f refuses.
func (e Env) checkForm(f Format, refuse func(name, value string) error) error {
	return e.check(func(name, value string) error {
		if err := refuse(name, value); err != nil {
			return fmt.Errorf("%w: -f %s cannot carry it, -f %s carries everything", err, f, Nul)
		}
		return nil
	})
}

func refuseNothing(_, _ string) error { return nil }

func writeNul(b *bytes.Buffer, name, value string) {
	b.WriteString(name + "=" + value + "\x00")
}

func refuseLines(_, value string) error {
	if strings.Contains(value, "\n") {
		return errors.New("its value has several lines")
	}
	if strings.TrimRight(value, asciiSpace) != value {
		return errors.New("its value ends in white space")
	}
	return nil
}

func writeLines(b *bytes.Buffer, name, value string) {
	b.WriteString(name + "=" + value + "\n")
}

// shellOwn are variables that dash or bash keep for themselves: assigning them
// is an error or without effect.
var shellOwn = strings.Fields(`_ BASHOPTS BASHPID BASH_ARGC BASH_ARGV BASH_COMMAND BASH_LINENO
	BASH_SOURCE BASH_SUBSHELL BASH_VERSINFO DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS
	HISTCMD LINENO OPTIND PPID RANDOM SECONDS SHELLOPTS SRANDOM UID`)

func refuseSh(name, _ string) error {
	if slices.Contains(shellOwn, name) {
		return errors.New("a variable that shells set themselves")
	}
	return nil
}

// writeSh puts each value in single quotes, in which POSIX gives no character
// but the closing quote a meaning.
func writeSh(b *bytes.Buffer, name, value string) {
	b.WriteString("export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'\n")
}

// refuseDotenv refuses what .env readers disagree about: all take text in single
// quotes as it is, but for backslashes before a quote or a backslash; in double
// quotes \n is the only escape that all know; some make CR a newline, and some
// expand ${NAME} even in single quotes.
func refuseDotenv(name, value string) error {
	switch {
	case !utf8.ValidString(value):
		return errNotUTF8
	case strings.Contains(value, "\r"):
		return errors.New("its value holds a carriage return, which some readers change")
	case strings.Contains(value, "${"):
		return errors.New(`its value holds "${", which some readers expand`)
	case !singleQuotable(value) && strings.ContainsAny(value, "\"\\$`"):
		return errors.New("its value mixes quotes, dollars or backslashes that readers take differently")
	}
	return nil
}

func singleQuotable(value string) bool {
	return !strings.Contains(value, "'") && !strings.Contains(value, `\\`) && !strings.HasSuffix(value, `\`)
}

func writeDotenv(b *bytes.Buffer, name, value string) {
	if singleQuotable(value) {
		b.WriteString(name + "='" + value + "'\n")
		return
	}
	b.WriteString(name + `="` + strings.ReplaceAll(value, "\n", `\n`) + "\"\n")
}

// yamlKey is the most characters of a key that does without YAML's "? ".
const yamlKey = 1024

func refuseYAML(name, value string) error {
	if len(name)+len(`""`) > yamlKey {
		return fmt.Errorf("its name is longer than YAML takes for a key, which is %d characters with the quotes", yamlKey)
	}
	return requireUTF8(name, value)
}

// writeYAML quotes the name, since bare Y, NO and null are no strings, and the
// value with the escapes of Go, all of which YAML 1.1 and 1.2 have.
func writeYAML(b *bytes.Buffer, name, value string) {
	b.WriteString(`"` + name + `": ` + strconv.Quote(value) + "\n")
}

// runnerOwn are the variables that a runner sets and that a step cannot, most of
// them documented: https://docs.github.com/actions/reference/variables-reference.
var runnerOwn = strings.Fields(`GITHUB_ACTION GITHUB_ACTION_PATH GITHUB_ACTION_REF GITHUB_ACTION_REPOSITORY GITHUB_ACTIONS GITHUB_ACTOR
	GITHUB_ACTOR_ID GITHUB_API_URL GITHUB_BASE_REF GITHUB_ENV GITHUB_EVENT_NAME GITHUB_EVENT_PATH GITHUB_GRAPHQL_URL
	GITHUB_HEAD_REF GITHUB_JOB GITHUB_OUTPUT GITHUB_PATH GITHUB_REF GITHUB_REF_NAME GITHUB_REF_PROTECTED GITHUB_REF_TYPE
	GITHUB_REPOSITORY GITHUB_REPOSITORY_ID GITHUB_REPOSITORY_OWNER GITHUB_REPOSITORY_OWNER_ID GITHUB_RETENTION_DAYS
	GITHUB_RUN_ATTEMPT GITHUB_RUN_ID GITHUB_RUN_NUMBER GITHUB_SERVER_URL GITHUB_SHA GITHUB_STATE GITHUB_STEP_SUMMARY
	GITHUB_TRIGGERING_ACTOR GITHUB_WORKFLOW GITHUB_WORKFLOW_REF GITHUB_WORKFLOW_SHA GITHUB_WORKSPACE`)

func refuseGitHub(name, value string) error {
	upper := strings.ToUpper(name)
	switch {
	case strings.HasPrefix(upper, "RUNNER_"), slices.Contains(runnerOwn, upper):
		return errors.New("the runner sets it itself")
	case strings.EqualFold(name, "NODE_OPTIONS"):
		return errors.New("the runner takes no such variable from a step")
	case !utf8.ValidString(value):
		return errNotUTF8
	case strings.HasSuffix(value, "\r"):
		return errors.New("its value ends in a carriage return, which runners on Windows cut off")
	}
	return nil
}

// writeGitHub writes NAME<<DELIMITER, the value, and the delimiter on a line of
// its own. It is drawn anew, 130 random bits, for each variable, so that no
// value can end itself and set another variable.
func writeGitHub(b *bytes.Buffer, name, value string) {
	delimiter := rand.Text()
	for strings.Contains(value, delimiter) {
		delimiter = rand.Text()
	}
	b.WriteString(name + "<<" + delimiter + "\n" + value + "\n" + delimiter + "\n")
}

// minMask is the shortest text, in characters, worth a mask: the runner
// replaces a masked text wherever it stands in the log.
const minMask = 4

// masks renders one ::add-mask:: command for each different line of the
// values. A runner sees a log line by line, so a mask of several lines would
// never match.
func (e Env) masks() ([]byte, error) {
	if err := e.checkForm(GitHubMask, requireUTF8); err != nil {
		return nil, err
	}
	escape := strings.NewReplacer("%", "%25", "\r", "%0D")
	seen := make(map[string]bool)
	var b bytes.Buffer
	for _, name := range e.Names() {
		for line := range strings.SplitSeq(e[name], "\n") {
			line = strings.TrimRight(line, "\r")
			if seen[line] || utf8.RuneCountInString(line) < minMask || strings.TrimSpace(line) == "" {
				continue
			}
			seen[line] = true
			b.WriteString("::add-mask::" + escape.Replace(line) + "\n")
		}
	}
	return b.Bytes(), nil
}

// refuseTFVars knows that HCL brings every string to Unicode's form NFC.
func refuseTFVars(name, value string) error {
	switch {
	case !utf8.ValidString(value):
		return errNotUTF8
	case !norm.NFC.IsNormalString(value):
		return errors.New("its value is not in Unicode normalization form C, to which HCL changes it")
	}
	return nil
}

func writeTFVars(b *bytes.Buffer, name, value string) {
	b.WriteString(name + ` = "`)
	for i, r := range value {
		template := (r == '$' || r == '%') && strings.HasPrefix(value[i+1:], "{")
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case template || !strconv.IsPrint(r) && r <= 0xFFFF:
			fmt.Fprintf(b, `\u%04x`, r)
		case !strconv.IsPrint(r):
			fmt.Fprintf(b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteString("\"\n")
}

// writeProperties writes printable ASCII alone, since java.util.Properties
// reads a stream as ISO 8859-1.
func writeProperties(b *bytes.Buffer, name, value string) {
	b.WriteString(name + "=")
	for i, r := range value {
		switch {
		case r == '\\' || r == ' ' && i == 0:
			b.WriteString(`\` + string(r))
		case ' ' <= r && r <= '~':
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(b, `\u%04x`, unit)
			}
		}
	}
	b.WriteString("\n")
}

// refuseCSV knows that Go's reader, for one, makes CR LF in quotes a newline.
func refuseCSV(_, value string) error {
	if !utf8.ValidString(value) {
		return errNotUTF8
	}
	if strings.Contains(value, "\r\n") {
		return errors.New("its value holds a carriage return before a newline, which some readers drop")
	}
	return nil
}

// writeCSV writes to memory, where encoding/csv has no error to give.
func writeCSV(b *bytes.Buffer, name, value string) {
	w := csv.NewWriter(b)
	w.Write([]string{name, value})
	w.Flush()
}

// refuseTSV follows the registration of text/tab-separated-values, which has
// no quotes and no escapes.
func refuseTSV(_, value string) error {
	if !utf8.ValidString(value) {
		return errNotUTF8
	}
	if strings.ContainsAny(value, "\t\n\r") {
		return errors.New("its value holds a tab, a newline or a carriage return")
	}
	return nil
}

func writeTSV(b *bytes.Buffer, name, value string) {
	b.WriteString(name + "\t" + value + "\n")
}

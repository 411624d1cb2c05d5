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

// A renderer writes one variable. refuse returns why its format cannot represent a
// variable exactly, or nil.
type renderer struct {
	refuse func(name, value string) error
	write  func(b *bytes.Buffer, name, value string)
}

// renderers are those of the formats that write each variable independently of others.
var renderers = map[Format]renderer{
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
	Names:      {refuseNothing, writeName},
}

// Render returns e in the format f, one of [OutputFormats], sorted by name. A
// reader of the format gets exactly e back, but for [Names]. If the format cannot
// represent a variable exactly, the error names the variable and says why.
func (e Env) Render(f Format) ([]byte, error) {
	switch f {
	case JSON:
		if err := e.checkFormat(f, requireUTF8); err != nil {
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
	r, ok := renderers[f]
	if !ok {
		return nil, errors.New("this format of an environment cannot be rendered")
	}
	if err := e.checkFormat(f, r.refuse); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if f == YAML && len(e) == 0 {
		b.WriteString("{}\n") // an empty document is null
	}
	for _, name := range e.Names() {
		r.write(&b, name, e[name])
	}
	return b.Bytes(), nil
}

// checkFormat is check, with a remedy for what the format f refuses.
func (e Env) checkFormat(f Format, refuse func(name, value string) error) error {
	return e.check(func(name, value string) error {
		if err := refuse(name, value); err != nil {
			return fmt.Errorf("%w: -f %s cannot represent it, -f %s can", err, f, Nul)
		}
		return nil
	})
}

func refuseNothing(_, _ string) error { return nil }

func writeNul(b *bytes.Buffer, name, value string) {
	b.WriteString(name + "=" + value + "\x00")
}

func writeName(b *bytes.Buffer, name, _ string) { b.WriteString(name + "\n") }

func refuseLines(_, value string) error {
	if strings.Contains(value, "\n") {
		return errors.New("its value has more than one line")
	}
	if strings.TrimRight(value, asciiSpace) != value {
		return errors.New("its value ends in white space")
	}
	return nil
}

func writeLines(b *bytes.Buffer, name, value string) {
	b.WriteString(name + "=" + value + "\n")
}

// shellOwn are the variables that dash or bash set themselves: an assignment is an
// error or has no effect.
const shellOwn = `_ BASHOPTS BASHPID BASH_ARGC BASH_ARGV BASH_COMMAND BASH_LINENO
	BASH_SOURCE BASH_SUBSHELL BASH_VERSINFO DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS
	HISTCMD LINENO OPTIND PPID RANDOM SECONDS SHELLOPTS SRANDOM UID`

func refuseSh(name, _ string) error {
	if slices.Contains(strings.Fields(shellOwn), name) {
		return errors.New("shells set this variable themselves")
	}
	return nil
}

// writeSh quotes each value with single quotes, between which POSIX gives no
// character a meaning except the closing quote.
func writeSh(b *bytes.Buffer, name, value string) {
	b.WriteString("export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'\n")
}

// refuseDotenv refuses what readers of .env files disagree about. All of them take
// text in single quotes literally, except backslashes before a quote or a
// backslash. In double quotes \n is the only escape that all know. Some turn CR
// into a newline, and some expand ${NAME} even in single quotes.
func refuseDotenv(name, value string) error {
	switch {
	case !utf8.ValidString(value):
		return errNotUTF8
	case strings.Contains(value, "\r"):
		return errors.New("its value contains a carriage return, which some readers change")
	case strings.Contains(value, "${"):
		return errors.New(`its value contains "${", which some readers expand`)
	case !singleQuotable(value) && strings.ContainsAny(value, "\"\\$`"):
		return errors.New("its value mixes quotes, dollars or backslashes, which readers interpret in different ways")
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

// yamlKey is the number of characters of the longest key without YAML's "? ".
const yamlKey = 1024

func refuseYAML(name, value string) error {
	if len(name)+len(`""`) > yamlKey {
		return fmt.Errorf("its name is too long for a YAML key, which has at most %d characters with the quotes", yamlKey)
	}
	return requireUTF8(name, value)
}

// writeYAML quotes the name, since Y, NO and null without quotes are not strings.
// The value has the escapes of Go, all of which YAML 1.1 and 1.2 have.
func writeYAML(b *bytes.Buffer, name, value string) {
	b.WriteString(`"` + name + `": ` + strconv.Quote(value) + "\n")
}

// runnerOwn are the variables that a runner sets and a step cannot. Most are
// documented: https://docs.github.com/actions/reference/variables-reference.
const runnerOwn = `GITHUB_ACTION GITHUB_ACTION_PATH GITHUB_ACTION_REF GITHUB_ACTION_REPOSITORY GITHUB_ACTIONS GITHUB_ACTOR
	GITHUB_ACTOR_ID GITHUB_API_URL GITHUB_BASE_REF GITHUB_ENV GITHUB_EVENT_NAME GITHUB_EVENT_PATH GITHUB_GRAPHQL_URL
	GITHUB_HEAD_REF GITHUB_JOB GITHUB_OUTPUT GITHUB_PATH GITHUB_REF GITHUB_REF_NAME GITHUB_REF_PROTECTED GITHUB_REF_TYPE
	GITHUB_REPOSITORY GITHUB_REPOSITORY_ID GITHUB_REPOSITORY_OWNER GITHUB_REPOSITORY_OWNER_ID GITHUB_RETENTION_DAYS
	GITHUB_RUN_ATTEMPT GITHUB_RUN_ID GITHUB_RUN_NUMBER GITHUB_SERVER_URL GITHUB_SHA GITHUB_STATE GITHUB_STEP_SUMMARY
	GITHUB_TRIGGERING_ACTOR GITHUB_WORKFLOW GITHUB_WORKFLOW_REF GITHUB_WORKFLOW_SHA GITHUB_WORKSPACE`

func refuseGitHub(name, value string) error {
	upper := strings.ToUpper(name)
	switch {
	case strings.HasPrefix(upper, "RUNNER_"), slices.Contains(strings.Fields(runnerOwn), upper):
		return errors.New("the runner sets this variable itself")
	case strings.EqualFold(name, "NODE_OPTIONS"):
		return errors.New("the runner does not accept this variable from a step")
	case !utf8.ValidString(value):
		return errNotUTF8
	case strings.HasSuffix(value, "\r"):
		return errors.New("its value ends in a carriage return, which runners on Windows remove")
	}
	return nil
}

// writeGitHub writes NAME<<DELIMITER, the value, and the delimiter on a line of its
// own. Each variable has a delimiter of 130 random bits, so that no value can
// contain it and set another variable.
func writeGitHub(b *bytes.Buffer, name, value string) {
	delimiter := rand.Text()
	for strings.Contains(value, delimiter) {
		delimiter = rand.Text()
	}
	b.WriteString(name + "<<" + delimiter + "\n" + value + "\n" + delimiter + "\n")
}

// minMask is the number of characters of the shortest text that is masked: the
// runner replaces it everywhere in the log.
const minMask = 4

// masks renders one ::add-mask:: command for each distinct line of the values. A
// runner processes a log line by line: a mask of several lines would never match.
func (e Env) masks() ([]byte, error) {
	if err := e.checkFormat(GitHubMask, requireUTF8); err != nil {
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

// refuseTFVars refuses what HCL would change: it normalizes strings to Unicode's NFC.
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

// writeProperties writes only printable ASCII, since java.util.Properties reads a
// stream as ISO 8859-1.
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

// refuseCSV refuses CR LF, which Go's reader, among others, turns into a newline.
func refuseCSV(_, value string) error {
	if !utf8.ValidString(value) {
		return errNotUTF8
	}
	if strings.Contains(value, "\r\n") {
		return errors.New("its value contains a carriage return before a newline, which some readers drop")
	}
	return nil
}

// writeCSV ignores the errors of encoding/csv: a write to memory has none.
func writeCSV(b *bytes.Buffer, name, value string) {
	w := csv.NewWriter(b)
	w.Write([]string{name, value})
	w.Flush()
}

// refuseTSV follows the registration of text/tab-separated-values, which has
// neither quotes nor escapes.
func refuseTSV(_, value string) error {
	if !utf8.ValidString(value) {
		return errNotUTF8
	}
	if strings.ContainsAny(value, "\t\n\r") {
		return errors.New("its value contains a tab, a newline or a carriage return")
	}
	return nil
}

func writeTSV(b *bytes.Buffer, name, value string) {
	b.WriteString(name + "\t" + value + "\n")
}

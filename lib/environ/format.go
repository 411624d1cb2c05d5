package environ

import (
	"fmt"
	"slices"
	"strings"
)

// Format is a written form of an environment, by the name that the flag -f
// gives it.
type Format string

// The forms. Auto, Lines, JSON and Dotenv can be read, all but Auto written.
const (
	Auto       Format = "auto"        // JSON where "{" comes first, else Lines
	Lines      Format = "lines"       // NAME=VALUE, literally, one a line
	JSON       Format = "json"        // an object of strings
	Dotenv     Format = "dotenv"      // NAME='VALUE', for the readers of .env files
	YAML       Format = "yaml"        // a mapping of quoted strings
	Sh         Format = "sh"          // export NAME='VALUE', for eval
	GitHub     Format = "github"      // for the file that GITHUB_ENV names
	GitHubMask Format = "github-mask" // ::add-mask:: commands, for a step's standard output
	TFVars     Format = "tfvars"      // NAME = "VALUE", for Terraform
	Properties Format = "properties"  // for java.util.Properties
	CSV        Format = "csv"         // NAME,VALUE records without a header
	TSV        Format = "tsv"         // NAME, tab, VALUE lines without a header
	Nul        Format = "nul"         // NAME=VALUE, each ended by a NUL
)

// InputFormats and OutputFormats list the forms that [Parse] reads and that
// [Env.Render] writes, in the order in which usage texts show them.
var (
	InputFormats  = []Format{Auto, Lines, JSON, Dotenv}
	OutputFormats = []Format{JSON, Lines, Sh, Dotenv, YAML, GitHub, GitHubMask, TFVars, Properties, CSV, TSV, Nul}
)

// InputFormat returns the form named s, one of [InputFormats]. The error lists
// them and does not hold s, which may be a misplaced secret.
func InputFormat(s string) (Format, error) { return choose(s, InputFormats) }

// OutputFormat returns the form named s, one of [OutputFormats]. The error
// lists them and does not hold s, which may be a misplaced secret.
func OutputFormat(s string) (Format, error) { return choose(s, OutputFormats) }

func choose(s string, from []Format) (Format, error) {
	if slices.Contains(from, Format(s)) {
		return Format(s), nil
	}
	names := make([]string, len(from))
	for i, f := range from {
		names[i] = string(f)
	}
	return "", fmt.Errorf("no such form of an environment: choose one of %s", strings.Join(names, ", "))
}

package environ

import (
	"fmt"
	"slices"
	"strings"
)

// A Format is a textual form of an environment. The string is its name, as the
// flag -f takes it.
type Format string

// The formats. Auto, Lines, JSON and Dotenv can be parsed, all but Auto rendered. Names
// has no values.
const (
	Auto       Format = "auto"        // JSON if "{" comes first, otherwise Lines
	Lines      Format = "lines"       // NAME=VALUE lines, taken literally
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
	Names      Format = "names"       // the names alone, one a line
)

// InputFormats and OutputFormats list the formats of [Parse] and [Env.Render] in
// the order of usage texts.
var (
	InputFormats  = []Format{Auto, Lines, JSON, Dotenv}
	OutputFormats = []Format{Names, JSON, Lines, Sh, Dotenv, YAML, GitHub, GitHubMask, TFVars, Properties, CSV, TSV, Nul}
)

// InputFormat returns the format named s, one of [InputFormats]. The error lists
// them. It does not contain s, which may be a misplaced secret.
func InputFormat(s string) (Format, error) { return choose(s, InputFormats) }

// OutputFormat returns the format named s, one of [OutputFormats]. The error
// lists them. It does not contain s, which may be a misplaced secret.
func OutputFormat(s string) (Format, error) { return choose(s, OutputFormats) }

func choose(s string, from []Format) (Format, error) {
	if slices.Contains(from, Format(s)) {
		return Format(s), nil
	}
	names := make([]string, len(from))
	for i, f := range from {
		names[i] = string(f)
	}
	return "", fmt.Errorf("no such format of an environment: choose one of %s", strings.Join(names, ", "))
}

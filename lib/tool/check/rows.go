package check

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"microsecrets/lib/internal/awsclient"
	"microsecrets/lib/internal/printable"
	"microsecrets/lib/internal/survey"
	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// The states of a row.
const (
	fit          = "ok"
	bad          = "no"
	unknown      = "?" // not allowed to look, or cannot tell
	inapplicable = "-"
)

// A row is one thing that was looked at.
type row struct {
	State  string `json:"state"`
	What   string `json:"what"`
	Detail string `json:"detail,omitempty"`
	Remedy string `json:"remedy,omitempty"` // a command, or advice; lines
	Action string `json:"action,omitempty"` // of IAM, that is not allowed
	Role   string `json:"role,omitempty"`   // of ms-init -policy, that allows it
}

// add prints a row. Its texts may be anybody's.
func (c *checker) add(r row) {
	c.bad = c.bad || r.State == bad
	if c.failed != nil {
		return
	}
	var text string
	if c.json {
		line, err := json.Marshal(r)
		if err != nil {
			c.failed = err
			return
		}
		text = string(printable.JSON(line)) + "\n"
	} else {
		text = fmt.Sprintf("%-2s  %s", r.State, printable.Line(r.What))
		if r.Detail != "" {
			text += ": " + printable.Line(r.Detail)
		}
		text += "\n"
		for line := range strings.Lines(r.Remedy) {
			text += "    " + printable.Line(strings.TrimSuffix(line, "\n")) + "\n"
		}
	}
	if _, err := fmt.Fprint(c.t.Stdout, text); err != nil {
		c.failed = tool.FileError("standard output", err)
	}
}

// failure is the row of what has failed, in the state otherwise unless the error says
// what it is. Scope is what a policy would be for.
func (c *checker) failure(what string, err error, otherwise, scope string) row {
	r := row{State: otherwise, What: what, Detail: err.Error(), Remedy: tool.Advice(err)}
	if named, ok := errors.AsType[*secret.Error](err); ok {
		r.Detail = named.Err.Error() // what has the name
	}
	var e *awsclient.Error
	errors.As(err, &e)
	switch {
	case errors.Is(err, survey.ErrInapplicable):
		return row{State: inapplicable, What: what, Detail: err.Error()}
	case errors.Is(err, context.DeadlineExceeded) && e == nil:
		return row{State: unknown, What: what, Detail: "no answer in time"}
	case errors.Is(err, secret.ErrUnreachable):
		r.State = unknown
	case e == nil:
	case tool.NotAllowed(e):
		r.State = unknown
		if need, ok := tool.RightFor(e); ok {
			r.Action, r.Role = need.Action, need.Role
			r.Remedy = strings.TrimSuffix(fmt.Sprintf("needs %s: %s\n%s", need.Action, c.policyCommand(need.Role, scope), r.Remedy), "\n")
		}
	case e.Kind == awsclient.ErrDenied, e.Kind == awsclient.ErrConfig, e.Status/100 == 3 || elsewhere[e.Code]:
		r.State = bad
	}
	return r
}

// elsewhere are the codes of a bucket in another region.
var elsewhere = map[string]bool{
	"PermanentRedirect": true, "TemporaryRedirect": true, "AuthorizationHeaderMalformed": true, "IllegalLocationConstraintException": true,
}

// initCommand is how ms-init is called for the same store. A store or an origin that
// cannot be used is not shown: it may be a slip.
func (c *checker) initCommand(args ...string) string {
	return tool.InitCommand(c.settings, c.bucket != "", args...)
}

// makeCommand is how ms-init is called to make things fit, which it does without an
// origin only.
func (c *checker) makeCommand(args ...string) string {
	command := c.initCommand(args...)
	if from := c.settings.Source("origin"); c.settings.Origin != "" && from != "-origin" {
		command += "\nwithout the origin of " + from + ", with which ms-init makes nothing"
	}
	return command
}

func (c *checker) policyCommand(role, scope string) string {
	args := []string{"-policy", role}
	if c.exact && role != "admin" {
		args = append(args, "-exact")
	}
	return c.initCommand(append(args, cmp.Or(scope, "SERVICE"))...)
}

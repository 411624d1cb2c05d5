package tool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"microsecrets/lib/internal/hint"
)

// What has failed before a signal came is told all the same.
func TestInterrupted(t *testing.T) {
	for _, row := range []struct {
		before []error
		cause  string // what is said of what the signal has stopped
		want   string
	}{
		{nil, "", "ms-test: interrupted\n"},
		{nil, "look", "ms-test: interrupted\nms-test: hint: look\n"},
		{[]error{hint.With(errors.New("a: exists already"), "-force"), errors.New("b: gone")}, "look",
			"ms-test: a: exists already\nms-test: b: gone\nms-test: interrupted\nms-test: hint: -force\nms-test: hint: look\n"},
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		var stderr bytes.Buffer
		tool := New("ms-test", "", strings.NewReader(""), new(bytes.Buffer), &stderr)
		status := tool.Run(ctx, nil, func(ctx context.Context, _ []string) error {
			interrupt()
			stopped := fmt.Errorf("c: %w", context.Cause(ctx))
			if row.cause != "" {
				stopped = hint.With(stopped, row.cause)
			}
			return append(Failures(row.before), stopped, fmt.Errorf("d: %w", context.Cause(ctx))).Err()
		})
		if status != StatusOther || stderr.String() != row.want {
			t.Errorf("status %d, %q, want %q", status, &stderr, row.want)
		}
	}
}

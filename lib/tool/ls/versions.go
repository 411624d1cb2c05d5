package ls

import (
	"bufio"
	"fmt"
	"time"

	"microsecrets/lib/secret"
)

// state is the word for what a version is.
func state(e secret.Version) string {
	switch {
	case e.Deleted:
		return "deleted"
	case e.Latest:
		return "latest"
	}
	return "old"
}

// printVersion prints a line of -versions that is not JSON.
func (o *options) printVersion(out *bufio.Writer, e secret.Version) error {
	if o.long {
		size, etag := "-", "-"
		if !e.Deleted {
			size, etag = fmt.Sprint(e.Size), e.ETag
		}
		fmt.Fprintf(out, "%12s  %s  %32s  ", size, e.Modified.UTC().Format(time.RFC3339), etag)
	}
	_, err := fmt.Fprintf(out, "%32s  %-7s  %s\n", e.ID, state(e), e.Name)
	return err
}

package completion

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"microsecrets/lib/secret"
	"microsecrets/lib/tool"
)

// list returns the names that begin with prefix, one level of them: a group ends in
// a slash. It returns none if anything is in the way. Where a repository may have
// brought the file that names the store, the store is not asked.
func list(ctx context.Context, t *tool.Tool, prefix string) []string {
	s, err := t.Settings()
	if err != nil || secret.CheckPrefix(prefix) != nil {
		return nil
	}
	kept, err := openCache(identity(s.Store, s.Region, s.Profile, s.BucketOwner, fmt.Sprint(s.PathStyle != nil && *s.PathStyle)))
	if err == nil {
		defer kept.Close()
		if names, ok := kept.get(prefix); ok {
			return names
		}
	}
	if s.Found {
		return nil
	}
	names, err := ask(ctx, t, prefix)
	if err != nil {
		return nil
	}
	if kept != nil {
		_ = kept.put(prefix, names) // the next time asks again
	}
	return names
}

// ask lists names in the store.
func ask(ctx context.Context, t *tool.Tool, prefix string) ([]string, error) {
	store, err := t.OpenQuietly(ctx, Limit)
	if err != nil {
		return nil, err
	}
	var names []string
	for e, err := range store.List(ctx, prefix, &secret.ListOptions{OneLevel: true}) {
		switch {
		case err != nil:
			return nil, err
		case !e.Valid || !fits(e.Name, prefix):
			continue
		case len(names) == listMax:
			return nil, fmt.Errorf("more than %d names", listMax)
		}
		names = append(names, e.Name)
	}
	return names, ctx.Err()
}

// identifying are the variables that say who asks, and what: no secret is among them.
var identifying = []string{
	"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "HOME",
}

// identity is a text that is another one where the store, the endpoint or the identity
// is another. What the AWS files say of them is another where these have changed.
func identity(settings ...string) string {
	parts := settings
	for _, name := range identifying {
		parts = append(parts, name+"="+os.Getenv(name))
	}
	home, _ := os.UserHomeDir() // without one there are no files below it
	for _, file := range []struct{ variable, usual string }{
		{"AWS_CONFIG_FILE", "config"},
		{"AWS_SHARED_CREDENTIALS_FILE", "credentials"},
	} {
		path := os.Getenv(file.variable)
		if path == "" {
			path = filepath.Join(home, ".aws", file.usual)
		}
		if info, err := os.Stat(path); err == nil {
			parts = append(parts, fmt.Sprintf("%s %d %s", file.variable, info.Size(), info.ModTime().Format(time.RFC3339Nano)))
		}
	}
	return strings.Join(parts, "\x00")
}

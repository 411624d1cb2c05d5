package names

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"microsecrets/lib/internal/settings"
)

// identifying are the variables that say who asks, and what: no secret is among them.
var identifying = []string{
	"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "HOME",
}

// identity is a text that is another one where the store, the endpoint or the identity
// is another. What the AWS files say of them is another where these have changed.
func identity(s *settings.Settings) string {
	parts := []string{s.Store, s.Region, s.Profile, s.BucketOwner, fmt.Sprint(s.PathStyle != nil && *s.PathStyle)}
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

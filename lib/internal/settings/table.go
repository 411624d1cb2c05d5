package settings

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"microsecrets/lib/internal/defaults"
)

// A setting is everything that its name decides.
type setting struct {
	name     string
	metavar  string // the value's name in the usage; empty: a switch
	standard string // the default, as text; empty: none, or found out by Resolve
	help     string // for the usage: lines of at most 61 bytes

	// place returns where the value is kept. Its Set checks text without control
	// characters, empty only for by, and returns an error that does not hold it;
	// its String is as a person would write the value.
	place func(*Settings) flag.Value
}

// table has the settings in the order in which they are shown.
var table = []setting{
	{"store", "STORE", "",
		"where secrets are: s3://BUCKET or s3://BUCKET/PREFIX",
		func(s *Settings) flag.Value { return text{&s.Store, nil} }},
	{"key", "KEYS", defaults.Key,
		"the KMS key, or several with commas; {service} in it is the\n" +
			"first segment of NAME (default " + defaults.Key + ")",
		func(s *Settings) flag.Value { return text{&s.Key, nil} }},
	{"origin", "STORE", "",
		"the store that the objects of a replica were written for",
		func(s *Settings) flag.Value { return text{&s.Origin, nil} }},
	{"region", "REGION", "",
		"the AWS region",
		func(s *Settings) flag.Value { return text{&s.Region, nil} }},
	{"profile", "PROFILE", "",
		"the AWS profile",
		func(s *Settings) flag.Value { return text{&s.Profile, nil} }},
	{"bucket-owner", "ID", "",
		"the account that must own the bucket",
		func(s *Settings) flag.Value { return text{&s.BucketOwner, CheckAccount} }},
	{"by", "TEXT", "",
		"who writes, for the record (default user@host)",
		func(s *Settings) flag.Value { return text{&s.By, checkBy} }},
	{"sse", "SSE", "",
		"the server-side encryption header: aws:kms or AES256",
		func(s *Settings) flag.Value { return text{&s.SSE, checkSSE} }},
	{"unsigned", "", "",
		"write and accept messages without a signature",
		func(s *Settings) flag.Value { return (*onOff)(&s.Unsigned) }},
	{"path-style", "", "",
		"the bucket in the path (automatic outside amazonaws.com)",
		func(s *Settings) flag.Value { return &automatic{&s.PathStyle} }},
	{"timeout", "TIME", defaults.Timeout.String(),
		"the longest wait without progress (default " + defaults.Timeout.String() + ")",
		func(s *Settings) flag.Value { return (*duration)(&s.Timeout) }},
	{"config", "FILE", "",
		"read the settings from FILE",
		func(s *Settings) flag.Value { return text{&s.Config, nil} }},
}

// find returns the setting of that name.
func find(name string) (s setting, ok bool) {
	i := slices.IndexFunc(table, func(s setting) bool { return s.name == name })
	if i < 0 {
		return setting{}, false
	}
	return table[i], true
}

// variable is the name of a setting's variable, as ff makes it.
func (s setting) variable() string {
	return "MS_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

// Usage is the part of a usage text that lists the settings as flags.
func Usage() string {
	var b strings.Builder
	for _, s := range table {
		help := strings.ReplaceAll(s.help, "\n", "\n"+strings.Repeat(" ", 19))
		fmt.Fprintf(&b, "  -%-15s %s\n", strings.TrimSpace(s.name+" "+s.metavar), help)
	}
	return b.String()
}

// text is text that check, unless it is nil, takes.
type text struct {
	at    *string
	check func(string) error
}

func (v text) String() string { return *v.at }

func (v text) Set(s string) error {
	if v.check != nil {
		if err := v.check(s); err != nil {
			return err
		}
	}
	*v.at = s
	return nil
}

// CheckAccount refuses what is not the id of an AWS account, without showing it.
func CheckAccount(s string) error {
	if len(s) != 12 || strings.Trim(s, "0123456789") != "" {
		return errors.New("not an account of 12 digits")
	}
	return nil
}

func checkBy(s string) error {
	if len(s) > defaults.ByMax {
		return errors.New("longer than 256 bytes")
	}
	return nil
}

const kmsSSE, aesSSE = "aws:kms", "AES256"

func checkSSE(s string) error {
	if s != kmsSSE && s != aesSSE {
		return errors.New("neither " + kmsSSE + " nor " + aesSSE)
	}
	return nil
}

var errNotBool = errors.New("neither true nor false")

// onOff is a switch.
type onOff bool

func (v *onOff) String() string { return strconv.FormatBool(bool(*v)) }

func (v *onOff) Set(s string) error {
	on, err := strconv.ParseBool(s)
	if err != nil {
		return errNotBool
	}
	*v = onOff(on)
	return nil
}

// automatic is a switch that the programs set where nobody has.
type automatic struct{ at **bool }

func (v *automatic) String() string {
	if *v.at == nil {
		return "automatic"
	}
	return strconv.FormatBool(**v.at)
}

func (v *automatic) Set(s string) error {
	on, err := strconv.ParseBool(s)
	if err != nil {
		return errNotBool
	}
	*v.at = &on
	return nil
}

// duration is a time above zero.
type duration time.Duration

func (v *duration) String() string { return time.Duration(*v).String() }

func (v *duration) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return errors.New("not a time above zero with its unit, such as 30s or 2m")
	}
	*v = duration(d)
	return nil
}

package fakeaws

import (
	"errors"

	"microsecrets/lib/fakeaws/fakekms"
	"microsecrets/lib/fakeaws/fakes3"
	"microsecrets/lib/fakeaws/internal/control"
)

// Help describes the control language.
const Help = `Lines are words, as a shell splits them: '…' and "…" quote, # begins a comment. KEY is a key of the default bucket,
or s3://BUCKET/KEY. PATTERN has * for any characters, slashes as well, and ? for one. OP is an operation as the SDKs name it
(GetObject, Decrypt), a PATTERN, or several with commas. NAME is a principal; the first one is "dev".

` + fakes3.Help + "\n" + fakekms.Help + "\n" + `Principals
  principal NAME [key=K] [secret=S] [token=T] [account=A] [closed]   prints AWS_… lines; closed: nothing is allowed at first
  deny|allow ACTION [PATTERN] [by=NAME]    s3:GetObject, kms:*; PATTERN is of keys, s3://BUCKET/KEY, aliases, ARNs
                          or values of the encryption context; denials win
  permit [by=NAME]        forget the rules
  policy NAME [FILE]…     attach IAM policies in JSON in place of those before: then NAME may do what they allow
  expire NAME             its credentials have expired
  clock DURATION          set the server's clock ahead (1h) or back (-1h)

Faults: fault KIND [ARG] OP [key=PATTERN] [times=N] [skip=N] [by=NAME]
  They befall a request in the order in which they were given; each counts the requests that it fits. key is as PATTERN of deny.
  delay D, delay-midway D, delay-reply D     wait before acting, between the check of a write's conditions and the
                          write, or after acting
  throttle                503 SlowDown, ThrottlingException
  answer STATUS CODE      that error, as the service writes it, instead of acting
  answer-after STATUS CODE         act, then that error
  respond [RESPONSE]      that response instead of acting
  replace [RESPONSE]      act, then change the response; what is not given stays
  drop                    close the connection instead of acting
  forget                  act, then close the connection: a lost reply
  persist                 read the request, and act on it even if the client goes away
  detach                  read the request, close the connection, then act: with a hold or a delay after
                          it, a request that acts when its client is long gone
  cut BYTES               close the connection after so many bytes of the body
  stall BYTES             wait for release after so many bytes of the body
  pace BYTES D            wait after each so many bytes of the body
  corrupt OFFSET          alter one byte of the body under way
  wrong-checksum          alter x-amz-checksum-…
  ignore-conditions       act as if there were no If-Match and If-None-Match, on GET too
  hold, hold-midway, hold-reply    wait for release, before acting, between the check of a write's conditions and
                          the write, or after acting
  rendezvous N            wait until N requests are there
  do LINE, do-midway LINE, do-after LINE     run a line at the same times: do-midway 'write KEY x' is a conflict, 409
  RESPONSE: status=N reason=TEXT header='NAME: VALUE' (again for more; {} in it is the former value; NAME alone: leave it out)
  text=TEXT or body=FILE, tail=TEXT (repeated after it without end, or up to size=N bytes), gzip, chunked (no Content-Length),
  length=N (a false Content-Length; +N, -N: more or less than there is), raw (text is all, status line and header included).
  TEXT has escapes as Go has them: \n \x1b \u202e \\. cut, stall, pace and corrupt count its head as well.
  clear                   forget all faults, let go what is held
  release                 let go what is held
  await OP N              wait until N requests of OP are held
  await connections N     wait until N connections have been opened, TLS included
  idle                    wait until no request is under way

Distance
  distance D              take D for each round trip, and to open a connection

Counts
  counts                  OP N, sorted
  count OP                N
  depth                   round trips one after the other: hold requests together by a rendezvous before relying on it
  trips                   the same, and those of opening connections: one, and one more by TLS
  side                    most requests in flight at once
  connections             connections that were opened
  log                     DEPTH OP RESOURCE STATUS CODE PRINCIPAL
  reset                   forget counts and log
  want 'OP N'… ['depth N'] ['side N']      fail unless the counts are exactly these
`

// Control runs one line of the control language, split into words, and returns what
// it prints. Relative file names are relative to dir ("": the working
// directory).
func (s *Server) Control(dir string, words ...string) (string, error) {
	out, err := control.Run(verbs(), s, dir, words)
	if errors.Is(err, control.ErrVerb) {
		out, err = s.s3.Control(dir, words...)
	}
	if errors.Is(err, control.ErrVerb) {
		out, err = s.kms.Control(dir, words...)
	}
	return out, err
}

// ControlLine is Control on a line that is split as a shell does it; a comment or an
// empty line does nothing.
func (s *Server) ControlLine(dir, text string) (string, error) {
	words, err := control.Split(text)
	if err != nil {
		return "", err
	}
	return s.Control(dir, words...)
}

package fakeaws

import (
	"net/http"

	"microsecrets/lib/fakeaws/internal/control"
	"microsecrets/lib/fakeaws/internal/service"
)

// A Request is what Options.Plan is told of one that was understood.
type Request struct {
	*http.Request          // not to be changed
	Op            string   // as the SDKs name it
	Names         []string // what the PATTERN of faults is matched against; of S3 the key is the first
}

// A Plan is what befalls one request.
type Plan struct {
	Faults []string // in order, each as KIND [ARG] in the control language
	Done   func()   // called when the server is through with the request; may be nil
}

// planned has befall a request what Options.Plan says.
func (x *exchange) planned(c *service.Call) ([]*fault, error) {
	if x.server.plan == nil {
		return nil, nil
	}
	plan := x.server.plan(Request{c.Request, c.Op, c.Names})
	x.done = plan.Done
	var faults []*fault
	for _, text := range plan.Faults {
		words, err := control.Split("fault " + text)
		if err != nil {
			return nil, err
		}
		if _, err := control.Run(map[string]func(*Server, *control.Line){"fault": func(_ *Server, l *control.Line) {
			f := &fault{gate: make(chan struct{})}
			f.parse(l)
			l.End()
			faults = append(faults, f)
		}}, x.server, "", words); err != nil {
			return nil, err
		}
	}
	return faults, nil
}

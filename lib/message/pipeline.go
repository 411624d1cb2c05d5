package message

import (
	"hash"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	inlineJobs  = 32      // jobs done by the caller before others help
	maxWideLen  = 1 << 20 // bytes of a frame up to which they do: beyond, it would take much memory
	maxWorkers  = 4       // that seal or open; by then memory is the limit
	spareJobs   = 4       // jobs beyond one a worker: being filled, hashed, written, and one to choose from
	minReadSize = 4 << 10 // bytes that a buffer begins with

	// jobLen is the bytes of frames in a job, unless a single one is longer: small enough for a processor's cache.
	jobLen = 2 * (DefaultFrameLength + frameOverhead)
)

// A job is a run of regular frames on its way from buffer to destination.
type job struct {
	seq    uint32 // of its first frame
	in     []byte // what is to be sealed or opened
	out    []byte // what came of it
	signed []byte // which of the two the signature is over
	err    error  // what ended it early; out has what came before

	buf  []byte // memory for in
	aad  []byte // memory for additional data
	done chan struct{}
}

// A lane is a Writer or a Reader: fill takes the next frames of its source into j, in order, and is false when
// there are none; work does with them what takes time. Several jobs may be in work at a time.
type lane interface {
	fill(j *job) (bool, error)
	work(j *job)
}

// A pipeline takes the frames of a lane through work, the hash for the signature and dst, in order. It keeps its
// jobs, so that once it is running it allocates nothing.
type pipeline struct {
	jobs []*job
}

// run takes all there is, and gives the bytes that dst took. The first few jobs are done right here; if there are more,
// goroutines do them, all of which are gone when run returns. The error is the first in the order of the message.
func (p *pipeline) run(l lane, frameLen int, hash hash.Hash, dst io.Writer) (written int64, err error) {
	for i := 0; ; i++ {
		if i == inlineJobs && frameLen <= maxWideLen && runtime.GOMAXPROCS(0) > 1 {
			n, err := p.spread(l, hash, dst)
			return written + n, err
		}
		j := p.job(0)
		if ok, err := l.fill(j); !ok {
			return written, err
		}
		l.work(j)
		if hash != nil {
			hash.Write(j.signed)
		}
		n, err := j.deliver(dst)
		if written += n; err != nil {
			return written, err
		}
	}
}

// job gives job i, which is new if it is the next.
func (p *pipeline) job(i int) *job {
	if i == len(p.jobs) {
		p.jobs = append(p.jobs, &job{done: make(chan struct{}, 1)})
	}
	return p.jobs[i]
}

// deliver writes to dst what came of the job, and gives the error that ended it, if any.
func (j *job) deliver(dst io.Writer) (int64, error) {
	n, err := write(dst, j.out)
	if err == nil {
		err = j.err
	}
	return int64(n), err
}

// write is dst.Write, held to its contract, and not called with nothing.
func write(dst io.Writer, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := dst.Write(b)
	if n < len(b) && err == nil {
		err = io.ErrShortWrite
	}
	return n, err
}

// spread is run with goroutines: this one fills, several work, one hashes, one writes. A worker that goes on at once
// would keep its processor from those who wait for what it has done, and soon there would be nothing to work on; so
// it lets them go first.
func (p *pipeline) spread(l lane, hash hash.Hash, dst io.Writer) (written int64, err error) {
	workers := min(runtime.GOMAXPROCS(0), maxWorkers)
	limit := workers + spareJobs
	todo := make(chan *job, limit)    // to be worked on
	ordered := make(chan *job, limit) // the same, to be waited for in order
	hashed := ordered                 // to be written
	free := make(chan *job, limit)

	var failed atomic.Bool
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for j := range todo {
				l.work(j)
				j.done <- struct{}{}
				runtime.Gosched()
			}
		})
	}
	if hash != nil {
		hashed = make(chan *job, limit)
		group.Go(func() {
			for j := range ordered {
				<-j.done
				hash.Write(j.signed)
				j.done <- struct{}{}
				hashed <- j
			}
			close(hashed)
		})
	}
	group.Go(func() {
		for j := range hashed {
			<-j.done
			if err == nil {
				var n int64
				n, err = j.deliver(dst)
				written += n
				if err != nil {
					failed.Store(true)
					continue // dst may have left somebody behind who still reads it
				}
			}
			free <- j
		}
	})

	var fillErr error
	for next := 0; !failed.Load(); {
		var j *job
		if next < limit && len(free) == 0 {
			j = p.job(next)
			next++
		} else {
			j = <-free
		}
		var ok bool
		if ok, fillErr = l.fill(j); !ok {
			break
		}
		todo <- j
		ordered <- j
	}
	close(todo)
	close(ordered)
	group.Wait()
	if err == nil {
		err = fillErr
	}
	return written, err
}

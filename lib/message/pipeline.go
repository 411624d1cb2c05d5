package message

import (
	"hash"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	inlineJobs       = 32      // jobs that the caller does before goroutines help
	maxParallelFrame = 1 << 20 // bytes of the longest frame for which they do: longer ones would take much memory
	maxWorkers       = 4       // goroutines that encrypt or decrypt; more are limited by the speed of memory
	spareJobs        = 4       // jobs in addition to one for each worker: being filled, hashed, written, and one ready
	minReadSize      = 4 << 10 // bytes of the first buffer

	// jobLen is the length in bytes of the frames in a job, unless one frame is longer. It fits a processor's cache.
	jobLen = 2 * (DefaultFrameLength + frameOverhead)
)

// A job is a run of consecutive regular frames.
type job struct {
	seq    uint32 // of its first frame
	in     []byte // the input, plaintext or frames
	out    []byte // the output
	signed []byte // in or out: the frames, which the signature covers
	err    error  // ended the work early; out has the result for the frames before

	buf  []byte // memory for in
	aad  []byte // memory for additional authenticated data
	done chan struct{}
}

// A codec is a Writer or a Reader. fill puts the next input into j, in the order of the message, and returns false at
// the end; work encrypts or decrypts it. Several jobs may be worked on concurrently.
type codec interface {
	fill(j *job) (bool, error)
	work(j *job)
}

// A pipeline fills jobs, works on them, hashes their frames for the signature and writes their output, in the order of
// the message. It reuses its jobs: once it is running, it allocates nothing.
type pipeline struct {
	jobs []*job
}

// run processes all the input of c and returns the number of bytes that dst took. It does the first few jobs itself. If
// there are more, goroutines do them, which have ended when run returns. The error is the first one in the order of the
// message.
func (p *pipeline) run(c codec, frameLen int, hash hash.Hash, dst io.Writer) (written int64, err error) {
	for i := 0; ; i++ {
		if i == inlineJobs && frameLen <= maxParallelFrame && runtime.GOMAXPROCS(0) > 1 {
			n, err := p.runParallel(c, hash, dst)
			return written + n, err
		}
		j := p.job(0)
		if ok, err := c.fill(j); !ok {
			return written, err
		}
		c.work(j)
		if hash != nil {
			hash.Write(j.signed)
		}
		n, err := j.deliver(dst)
		if written += n; err != nil {
			return written, err
		}
	}
}

// job returns job i, and makes it if there are exactly i jobs.
func (p *pipeline) job(i int) *job {
	if i == len(p.jobs) {
		p.jobs = append(p.jobs, &job{done: make(chan struct{}, 1)})
	}
	return p.jobs[i]
}

// deliver writes the output of j to dst. Its error is that of dst, else that of j.
func (j *job) deliver(dst io.Writer) (int64, error) {
	n, err := write(dst, j.out)
	if err == nil {
		err = j.err
	}
	return int64(n), err
}

// write is dst.Write, except that a short write is an error and that nothing is written for an empty b.
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

// runParallel is run with goroutines: the caller's fills, several work, one hashes, one writes. A worker yields after
// each job, so that the goroutines that wait for it run first; otherwise the workers would soon run out of jobs.
func (p *pipeline) runParallel(c codec, hash hash.Hash, dst io.Writer) (written int64, err error) {
	workers := min(runtime.GOMAXPROCS(0), maxWorkers)
	limit := workers + spareJobs
	todo := make(chan *job, limit)    // for the workers
	ordered := make(chan *job, limit) // the same jobs, in order
	hashed := ordered                 // for the writer
	free := make(chan *job, limit)

	var failed atomic.Bool
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for j := range todo {
				c.work(j)
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
					continue // dst may still be reading the memory of j
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
		if ok, fillErr = c.fill(j); !ok {
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

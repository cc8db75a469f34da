package train

import "time"

// clock measures a run: its whole duration, and the images a second of its training alone.
type clock struct {
	before  time.Duration // of earlier sessions
	begun   time.Time
	epochAt time.Time     // when the current epoch began
	lapAt   time.Time     // when the current interval began
	trained time.Duration // spent training in this epoch
	images  int           // since the current interval began
	all     int           // in this epoch
}

func (c *clock) start(seconds float64) {
	c.before = time.Duration(seconds * float64(time.Second))
	c.begun = time.Now()
}

// resume starts the measurement of an epoch's training.
func (c *clock) resume() {
	now := time.Now()
	c.epochAt, c.lapAt = now, now
	c.trained, c.images, c.all = 0, 0, 0
}

// lap ends an interval and returns its images a second.
func (c *clock) lap() float64 {
	now := time.Now()
	d := now.Sub(c.lapAt)
	r := perSecond(c.images, d)
	c.trained += d
	c.all += c.images
	c.lapAt, c.images = now, 0
	return r
}

// pause ends the measurement of an epoch's training.
func (c *clock) pause() {
	if c.images > 0 {
		c.lap()
	}
}

// rate returns the epoch's images a second.
func (c *clock) rate() float64 { return perSecond(c.all, c.trained) }

// epoch returns the time since the epoch began, in seconds.
func (c *clock) epoch() float64 { return time.Since(c.epochAt).Seconds() }

// total returns the run's duration in seconds.
func (c *clock) total() float64 { return (c.before + time.Since(c.begun)).Seconds() }

func perSecond(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

package report

import (
	"math"
	"strconv"
	"time"

	"gameday/runner/journal"
)

// Values that gameday proposes for another run. Each is computed from recorded ones, which the evidence holds.
type (
	// Halfway lies in the middle between a value and its bound, with as many digits as it takes to stay between them.
	Halfway struct{ Value, Bound journal.Number }
	// Doubled is twice a length of time.
	Doubled time.Duration
	// DoubledPercent is twice a share in percent, and never more than all.
	DoubledPercent float64
	// Bytes is a size.
	Bytes int64
)

func (v Halfway) middle() float64 { return float64(v.Value)/2 + float64(v.Bound)/2 }

func (v Halfway) pieces(Clock) []piece {
	least, most := min(float64(v.Value), float64(v.Bound)), max(float64(v.Value), float64(v.Bound))
	digits := 2
	for ; digits < 17; digits++ {
		if x, err := strconv.ParseFloat(strconv.FormatFloat(v.middle(), 'g', digits, 64), 64); err == nil && least < x && x < most {
			break
		}
	}
	return one(plain, formatNumber(v.middle(), digits))
}

func (v Doubled) pieces(Clock) []piece { return one(plain, formatDuration(2*time.Duration(v))) }

func (v DoubledPercent) pieces(Clock) []piece {
	return one(plain, formatNumber(math.Min(2*float64(v), 100), 4))
}

func (v Bytes) pieces(Clock) []piece {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	size, unit := float64(v), 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	return one(plain, formatNumber(size, 3)+" "+units[unit])
}

package journal

import "slices"

var _ = register[StatusSet]()

// The statuses of a draft, a closed list. Only people set them.
const (
	StatusDraft    = "draft"
	StatusInReview = "in review"
	StatusReviewed = "reviewed"
	StatusClosed   = "closed"
)

// Statuses are the statuses in the order in which a draft usually goes through them.
var Statuses = []string{StatusDraft, StatusInReview, StatusReviewed, StatusClosed}

// StatusSet says how far people are with the draft of a run. It stands in the people's file; the last one counts.
type StatusSet struct {
	Status string `json:"status"` // one of Statuses
}

// Kind returns "people.status".
func (*StatusSet) Kind() string { return "people.status" }

// IsStatus says whether a draft can have a status.
func IsStatus(status string) bool { return slices.Contains(Statuses, status) }

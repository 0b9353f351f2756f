package inject

// kinds are all kinds of faults, in the order of the language's reference.
var kinds = []Kind{pause{}, stop{}, kill{}, crash{}, restart{}, oom{}, signal{}, execute{},
	latency{}, loss{}, corrupt{}, duplicate{}, reorder{}, rate{}, partition{}, reject{},
	disconnect{}, cpu{}, memory{}, disk{}, stress{}, fill{}}

// Kinds returns all kinds of faults, in the order of the language's reference.
func Kinds() []Kind { return append([]Kind(nil), kinds...) }

// Lookup returns the kind of fault with that name in the language.
func Lookup(kind string) (Kind, bool) {
	for _, k := range kinds {
		if k.Doc().Kind == kind {
			return k, true
		}
	}
	return nil, false
}

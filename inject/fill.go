package inject

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"gameday/inject/engine"
	"gameday/inject/sidecar"
)

// fill uses up the space in a directory of a container.
type fill struct{ onHost }

// Doc describes fill.
func (fill) Doc() Doc {
	return Doc{
		Kind:    "fill",
		Family:  Engine,
		Summary: "Fills a directory or a volume of the container with one file of real blocks.",
		Undo:    "The file is removed, whether or not the container runs; nothing else is touched.",
		Proof:   "The file system shows the file, and how much of it is in use.",
		Holds:   DurationRequired,
		Ahead:   true,
		Follows: true,
		ByHand:  "docker exec --user 0 CONTAINER rm -f FILE",
		Args: []Arg{{
			Name:    "path",
			Type:    "string",
			Summary: "The directory in the container.",
		}, {
			Name:    "size",
			Type:    "size",
			Default: "none",
			Summary: "How large the file gets, as in \"1GiB\". Either this or percent.",
		}, {
			Name:    "percent",
			Type:    "percent",
			Default: "none",
			Summary: "How much of the file system is in use then, by whomever.",
		}},
		Example: `fault "fill" "disk_is_full" {
  target   = target.store
  path     = "/var/lib/data"
  percent  = 95
  duration = "60s"
}`,
	}
}

// Plan says on whose disk the directory is.
func (k fill) Plan(f Fault, c engine.Container, h Host) (Step, error) {
	if err := checkFault(f, k.Doc()); err != nil {
		return Step{}, err
	}
	dir, err := stringArg(f, "path", "")
	size, serr := bytesArg(f, "size")
	percent, perr := percentArg(f, "percent", 0)
	switch {
	case err != nil || serr != nil || perr != nil:
		return Step{}, errors.Join(err, serr, perr)
	case !path.IsAbs(dir):
		return Step{}, fmt.Errorf("fault %q: path is %q; it must be a whole path in the container, such as \"/var/lib/data\"", f.Name, dir)
	case (size > 0) == (percent > 0):
		return Step{}, fmt.Errorf("fault %q: fill needs either a size or a percent, such as percent = 95", f.Name)
	}
	dir = path.Clean(dir)
	spec := sidecar.FillSpec{Path: dir, File: fillFile(f, c), Size: size, Percent: percent}
	s, err := planOnHost(f, k.Doc(), c, h, spec)
	if err != nil {
		return Step{}, err
	}
	s.Claims = append(s.Claims, spaceOf(c, dir))
	how := fmt.Sprintf("with a file of %s", sidecar.Bytes(size))
	if percent > 0 {
		how = fmt.Sprintf("until %s%% of its file system are in use", decimal(percent))
	}
	s.Does = fmt.Sprintf("fill %s of %s %s", dir, c.Name, how)
	s.UndoWords = fmt.Sprintf("remove the file %s from %s of %s", spec.File, dir, c.Name)
	switch m, ok := mountOf(c, dir); {
	case ok && !m.RW, !ok && c.ReadOnly:
		return Step{}, fmt.Errorf("%s of %s is read-only: choose a path on a volume that it writes to", dir, c.Name)
	case !ok:
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s is on no volume, so it is on the disk of the engine's host: what fills it fills it for everybody there; gameday leaves a twentieth and 1GiB free at least, and refuses to do more", dir))
	case m.Type == "tmpfs":
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s is in memory: what fills it takes memory of the engine's host", dir))
	default:
		s.Warnings = append(s.Warnings, fmt.Sprintf("others that use the volume at %s find it full as well; where it is on the disk of the engine's host, gameday leaves a twentieth and 1GiB free at least, and refuses to do more", m.Destination))
	}
	return s, nil
}

// fillFile is the name of the file of a fault. Targets may share a volume.
func fillFile(f Fault, c engine.Container) string {
	return fmt.Sprintf(".gameday-%s-%s-%.12s", f.Run, f.Name, c.ID)
}

// spaceOf is the space that a file in a directory of a container takes: that of a whole volume, whoever has it.
func spaceOf(c engine.Container, dir string) Claim {
	m, ok := mountOf(c, dir)
	switch {
	case !ok:
		return Claim{Thing: "the space of its own file system"}
	case m.Type == "tmpfs":
		return Claim{Thing: "the space in " + path.Clean(m.Destination)}
	case m.Source == "":
		return Claim{Thing: "the space in the volume " + m.Name, On: m.Name}
	case m.Name != "":
		return Claim{Thing: "the space in the volume " + m.Name, On: path.Clean(m.Source)}
	}
	return Claim{Thing: "the space in " + m.Source + " of the engine's host", On: path.Clean(m.Source)}
}

// mountOf is the mount that a path of a container lies on.
func mountOf(c engine.Container, dir string) (best engine.Mount, ok bool) {
	for _, m := range c.Mounts {
		at := path.Clean(m.Destination)
		if (dir == at || strings.HasPrefix(dir, strings.TrimSuffix(at, "/")+"/")) && (!ok || len(at) > len(best.Destination)) {
			best, ok = m, true
		}
	}
	return best, ok
}

// Holding says whether the file is there. It outlives the container's main process.
func (fill) Holding(ctx context.Context, t Tools, s Step) (bool, string, error) {
	d := t.Sidecars.peek(ctx, s.Fault.Run, s.Container.ID, hostSidecar)
	if _, err := inspect(ctx, t, s.Container.ID); err != nil {
		if errors.Is(err, engine.ErrNotFound) {
			return false, goneWords, nil
		}
		return false, "", err
	}
	if d == nil {
		return false, "the helper beside it has gone, and the file with it", nil
	}
	l, err := d.look(ctx, faultID(s.Undo))
	switch {
	case errors.Is(err, errGone), errors.Is(err, ErrUntouched):
		return false, err.Error(), nil
	case err != nil:
		return false, "", err
	}
	return l.InForce, l.Why, nil
}

// byHand removes the file in the container.
func (fill) byHand(u Undo) string {
	var spec sidecar.FillSpec
	if err := json.Unmarshal(u.Extra, &spec); err != nil {
		return ""
	}
	return joinCommand([]string{"docker", "exec", "--user", "0", nameOf(u), "rm", "-f", path.Join(spec.Path, spec.File)})
}

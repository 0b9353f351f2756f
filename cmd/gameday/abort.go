package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gameday/runner"
)

func (a app) abortCommand() *cobra.Command {
	var wait time.Duration
	var asJSON bool
	c := &cobra.Command{
		Use:   "abort",
		Short: "Stop the run that is going on, from any terminal",
		Long: `Ask the run on this Docker engine to stop, and wait until it has undone everything. If it does not answer, its guard is told to undo
everything. Works from any machine that reaches the engine.`,
		Args: nothing,
		RunE: func(*cobra.Command, []string) error {
			ctx, stop := signals()
			defer stop()
			s, done, err := a.setup(ctx, "")
			if err != nil {
				return err
			}
			defer done()
			limit, cancel := context.WithTimeout(ctx, wait)
			defer cancel()
			h, err := runner.Abort(limit, s.Engine)
			if err != nil {
				return err
			}
			if asJSON {
				return a.json(map[string]any{"stopped": h})
			}
			if h == nil {
				fmt.Fprintln(a.stdout, "No run is going on.")
				return nil
			}
			if h.Fired != "" && h.Alive {
				fmt.Fprintf(a.stdout, "%s is stopped: %s, and its guard undid everything. Its process is still there and keeps the lock; end it (kill -9 %d on %s).\n",
					h.Run, h.Fired, h.PID, h.Host)
				return nil
			}
			fmt.Fprintf(a.stdout, "%s was stopped; everything that it did is undone, or stands in its draft: %s\n", h.Run, h.Dir)
			return nil
		},
	}
	c.Flags().DurationVar(&wait, "wait", 90*time.Second, "how long to wait for it")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

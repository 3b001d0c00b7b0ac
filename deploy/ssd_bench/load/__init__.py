"""Scale, measured: one learner under the load of many actors, and what that says about more."""

error_budget = 0.02

"""What models cost, and the budgets that bound it."""

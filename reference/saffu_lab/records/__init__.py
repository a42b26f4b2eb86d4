"""What measurements leave behind: lines, comparisons over seeds, pictures drawn from them."""

"""What a case asks of AWS, and what that costs."""

"""What a person is told of the accounts and of the stack, by whichever way they ask."""

"""What each learned step is trained on: simulated inputs, the classical answer, the truth, and how an answer is judged."""

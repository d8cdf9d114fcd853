"""What is measured next: the plan and how policies are found."""

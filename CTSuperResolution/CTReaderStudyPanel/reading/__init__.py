"""Reading of a study: its cases in the views one by one, answers by keys, and the user's views back at the end."""

"""From a folder of people to answers: what the single commands do, in one."""

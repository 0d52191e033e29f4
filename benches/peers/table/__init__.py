"""The performance table: what benches/peers/run measures, and how.

machine   what must be installed and built, what the machine is, processes and what they use
milters   the milters under test
load      `perso-milter bench`, which sends the messages and measures
postfix   a Postfix of our own with several entrances, and smtp-source as its load
mta       one MTA that looks when a list change governs, and idle ones
figures   medians, ratios, their intervals
rows      the rows of the table
report    the rows as text, JSON and README
"""

-- What others added and the user has not said to keep yet is looked for at each sign-in.
CREATE INDEX entries_waiting ON entries (user) WHERE confirmed = 0;

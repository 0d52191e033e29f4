# A rule for all users (sieve_before), for the action mark.

# In place of the action "folder", for mail that has the action "mark". The milter removes the X-Perso headers
# of others: what still has one was marked by it.
require ["fileinto", "mailbox"];
if exists "X-Perso" {
    fileinto :create "Perso";
}

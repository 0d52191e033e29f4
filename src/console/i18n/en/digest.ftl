digest-title = Weekly digest
digest-lead = Each Monday from 8 o’clock on, a mail counts your messages of the week: numbers, never a name or an address. There is none for a week without messages.
digest-needs-history = The digest is counted from your history, which is not switched on.
digest-history = Switch the history on
digest-locked = Under your personal lock nobody but you reads your history: no digest is sent while it is on.
digest-is-on = You get the weekly digest.
digest-is-off = You do not get the weekly digest.
digest-start = Get the digest
digest-stop = Stop the digest
digest-on = You will get the weekly digest, next Monday for the first time.
digest-off = You will no longer get the weekly digest.
digest-end-title = Stop the weekly digest
digest-end-text = The weekly digest will no longer be sent to you. Nothing else changes.
digest-ended = Done: the weekly digest will no longer be sent to you. It can be switched on again in your settings.
digest-subject = Your messages of the week
digest-hello = Hello, this is what became of your messages of the last seven days:
digest-messages = { $count ->
    [one] one message
   *[other] { $count } messages
 } in all
digest-personal = { $count ->
    [0] none personal
    [one] one of them personal
   *[other] { $count } of them personal
 }
digest-blocked = { $count ->
    [0] none blocked
    [one] one of them blocked
   *[other] { $count } of them blocked
 }
digest-accepted = { $count ->
    [0] none taken back from junk
    [one] one of them taken back from junk, since its sender is accepted
   *[other] { $count } of them taken back from junk, since their senders are accepted
 }
digest-incomplete = This count may lack messages.
digest-see = To see which, sign in:
digest-why = You get this mail since you asked for it in your settings. To stop it:
digest-link = Weekly digest by mail

why-title = Why this message?
why-lead = Choose a message in your history, or paste its headers: the console decides once more and says what won.
why-when = Received
why-sender = Sender
why-bounces = Return address
why-proof = Proof of the sender
why-without = Without this entry
why-proven = If the sender were proven
why-now = With your lists of today
why-remove = Take { $entry } off
why-add-personal = Declare personal
why-add-black = Block this sender
why-add-white = Accept this sender
why-paste-title = Explain a message from its headers
why-paste-how = In your mail program, open the message, then “View source” (or “Message source”, “Properties”). Copy everything above the text.
why-headers = Headers of the message
why-headers-hint = At least the line “From:”; the lines “Return-Path:” and “Authentication-Results:” make the answer more certain.
why-explain = Explain
why-not-kept = What you paste here serves this answer and is not kept.
why-empty = Paste the headers of a message.
why-too-long = This is too long. Paste the headers alone, without the text and the attachments.
why-no-sender = No readable sender in there. Paste the whole headers, with the line “From:”.

decision-rejected = Refused
decision-discarded = Not delivered
decision-held = Held
decision-junked = Filed in { $folder }
decision-filed = Personal, filed in { $folder }
decision-tagged = Personal, marked
decision-personal = Personal
decision-cleared = Accepted, spam mark taken off
decision-delivered = Delivered as it was
decision-short-another = addressed to a group
decision-short-paused = lists paused
decision-short-personal = your personal senders
decision-short-black = your blocked senders
decision-short-white = your accepted senders
decision-short-organisation = the organisation’s list
decision-short-not-proven = sender not proven
decision-short-protected = protected sender
decision-would-reject = The message would be refused.
decision-would-discard = The message would not be delivered.
decision-would-hold = The message would be held.
decision-would-junk = The message would go to the junk folder.
decision-would-be-personal = The message would be personal.
decision-would-clear = The message would be accepted, without a spam mark.
decision-would-deliver = The message would be delivered as it is.
decision-by-another = The message was addressed to a group or to somebody else: nobody’s list applies to it.
decision-paused = Your lists were paused.
decision-nothing = No entry decided: neither yours nor your organisation’s.
decision-entry-personal = { $entry } is one of your personal senders.
decision-entry-black = { $entry } is one of your blocked senders.
decision-entry-white = { $entry } is one of your accepted senders.
decision-organisation-black = Your organisation blocks { $entry }.
decision-organisation-white = Your organisation accepts { $entry }.
decision-not-proven = The entry { $entry } had no effect: nothing proved that the message came from this sender.
decision-more-specific = The entry { $entry } had no effect: a more precise entry wins.
decision-higher-level = The entry { $entry } had no effect: a list of a higher level wins.
decision-blocked-wins = The entry { $entry } had no effect: blocked beats personal.
decision-protected = The entry { $entry } had no effect: your organisation protects this sender.
decision-left-out = The message had several recipients and could not be marked for you alone.
decision-detail-removed = The folder that the sender had put into the address was taken off.
decision-pattern = a pattern
decision-proof-passed = { $method } passed
decision-proof-not-asked = No proof is asked for here
decision-proof-missing = Nothing proves that the message comes from this sender

how-many-ask = How many?
how-many-not-kept = To know how many messages this entry would have matched, switch your history on first.
how-many-no-data = No message is noted in your history yet: there is no telling how many this entry would have matched.
how-many-locked = Your personal lock is closed: sign in with your password, your passkey or your recovery code to count.
how-many-counted =
    { $matched ->
        [0] This entry would have matched none of your { $messages } messages noted since { $since }.
        [one] This entry would have matched one message, of { $messages } noted since { $since }.
       *[other] This entry would have matched { $matched } messages, of { $messages } noted since { $since }.
    }
how-many-incomplete = Some messages could not be noted: there may have been more.

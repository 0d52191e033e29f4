home-lead = Each sender on these lists is treated as you decide, for you alone. Enter an address, then choose what the console is to do with it.
home-field = Address or domain
home-field-hint = For example mum@example.org, or example.org for every address of that domain.
home-waiting-title = To be confirmed
home-waiting-text = Somebody other than you added these entries. They apply already: keep them or remove them.
home-keep-all = Keep all
home-privacy-strong = You alone read these lists.
home-privacy = No screen, log or command of this product shows them to your employer or to the operator.

lists-personal-title = Personal senders
lists-personal-lead = Messages from these senders are marked personal. When you leave they can be handed over to you or destroyed, and no professional message is touched.
lists-personal-what = Their messages are marked personal.
lists-personal-button = Mark as personal
lists-personal-empty = Add the address of a relative, your doctor, your bank: their next messages will be marked.
lists-blocked-title = Blocked senders
lists-blocked-lead = Messages from these senders no longer reach you like others. A sender who is refused learns of it; the settings offer a silent action.
lists-blocked-what = Their messages are set aside.
lists-blocked-button = Block
lists-blocked-empty = Add the address or domain of a sender from whom you want nothing more.
lists-accepted-title = Accepted senders
lists-accepted-lead = Messages from these senders are not treated as unwanted. An accepted address wins over a blocked domain.
lists-accepted-what = Their messages are not treated as unwanted.
lists-accepted-button = Accept
lists-accepted-empty = Add the address or domain of a sender whose messages are wrongly marked as unwanted.

lists-figure = senders
lists-add = Add
lists-keep = Keep
lists-edit = Edit
lists-remove = Remove
lists-remove-long = Remove from the list
lists-note = Note
lists-note-hint = Optional; you alone read it.
lists-note-longest = You alone read it; { $longest } characters at most. Empty the field to delete it.
lists-note-save = Save the note
lists-note-long = The note is too long: 200 characters at most. Make it shorter.
lists-move = Move to
lists-move-button = Move
lists-choose = List
lists-from-now-on = Messages already received do not change.
lists-paste-link = Paste several
lists-import-link = Import
lists-export-link = Export
lists-journal-link = Changes and undo
lists-unconfirmed = to be confirmed
lists-lost = (unreadable: an entry from before your new key)
lists-altered = (altered in the database)

lists-scope-address = This address alone
lists-scope-domain = All addresses of this domain, without its subdomains
lists-scope-subdomains = All addresses of this domain and its subdomains
lists-scope-glob = All addresses of this form
lists-origin-user = by you
lists-origin-administrator = by an administrator
lists-origin-import = from a file

lists-added-personal = { $value } is a personal sender now. Messages already received do not change.
lists-added-blocked = { $value } is blocked now. Messages already received do not change.
lists-added-accepted = { $value } is accepted now. Messages already received do not change.
lists-added-several =
    { $count ->
        [0] Nothing was added.
        [one] One sender is now on your lists. Messages already received do not change.
       *[other] { $count } senders are now on your lists. Messages already received do not change.
    } { $there ->
        [0] {""}
        [one] One more was there already.
       *[other] { $there } more were there already.
    }
lists-there-personal = { $value } was a personal sender already.
lists-there-blocked = { $value } was blocked already.
lists-there-accepted = { $value } was accepted already.
lists-removed-before = { $value } is not on this list any more: there is nothing to remove.
lists-noted-before = The note on { $value } is the same as before.
lists-confirmed-before = { $value } was not waiting for confirmation.
lists-nothing-waits = Nothing is waiting for your confirmation.
lists-removed = { $value } is off the list.
lists-noted = The note on { $value } is saved.
lists-confirmed = You keep { $value }.
lists-confirmed-all =
    { $count ->
        [one] You keep the entry that was waiting.
       *[other] You keep the { $count } entries that were waiting.
    }
lists-full = The list is full: it holds 10,000 entries. Remove some, or replace several addresses by their domain.
lists-too-full = The list “{ $list }” would hold more than 10,000 entries: nothing was added. Add fewer lines, remove entries, or replace several addresses by their domain.
lists-functional = A functional mailbox has no personal list. Use the lists of blocked or accepted senders.

lists-bad-empty = The field is empty. Enter an address (name@example.org) or a domain (example.org).
lists-bad-no-address = There is neither an address nor a domain in it. Enter an address (name@example.org) or a domain (example.org).
lists-bad-malformed = This address is not correct. Check the at sign, the dots and the blanks.
lists-bad-too-long = This line is too long. Split it into several lines.
lists-bad-unclosed = A quotation mark is not closed, or a card does not end. Mend the file at this line.
lists-bad-unknown-list = There is no list of that name. Write white, black or personal, or name no list.
lists-bad-too-many = The rest was not taken: there are too many lines. Add it in a second go.
lists-refused-everybody = This entry would cover everybody. Enter an address or a domain.
lists-refused-public-suffix = Below this suffix strangers have their domains. Enter an address or a whole domain.
lists-refused-own-domain = Mail of your organisation is professional: it cannot be declared personal. For private mail declare the person’s private address.
lists-refused-protected-domain = Your organisation declared this domain professional: it cannot be declared personal. Declare the person’s private address, or talk to the manager.
lists-refused-freemail = Anybody may have an address at this domain. Enter the person’s full address.
lists-refused-protected-sender = Your organisation protects this sender: it cannot be blocked. To sort its messages use the rules of your mail program.
lists-refused-globs-off = Your organisation takes no patterns. Enter an address, a domain (example.org) or its subdomains (*.example.org).

lists-empty-title = This list is empty
lists-search = Search
lists-search-label = Search the list
lists-search-all = The whole list
lists-search-none = Nothing on this list contains “{ $search }”.
lists-caption =
    { $count ->
        [one] One sender
       *[other] { $count } senders, page { $page }
    }
lists-column-sender = Sender
lists-column-added = Added
lists-column-last = Last message
lists-column-actions = Actions
lists-sort = , sort
lists-pages = Pages of the list
lists-range = { $first } to { $last } of { $count }
lists-previous = Previous
lists-next = Next
lists-page-number = Page { $number }

lists-locked-title = Personal lock closed.
lists-locked-text = This session may add to your lists, and not read them: it was opened without a secret of yours.
lists-locked-link = Open with a secret of yours

lists-offer-title = A better way
lists-offer-move = { $value } stands on another list already: { $lists }. One address on two lists is confusing.
lists-offer-move-yes = Move to { $list }
lists-offer-many = You have several addresses of { $domain } on this list already. The whole domain says the same in one entry, and holds for its next addresses too.
lists-offer-changing = { $value } looks made for one message: the next time it will be another. The domain { $domain } stays the same.
lists-offer-domain-yes = Add { $domain }
lists-offer-alone = Add { $value } alone
lists-offer-both = Add { $value } and move nothing
lists-offer-none = Add nothing

lists-entry-title = An entry
lists-entry-lead = This is what the entry applies to. You can note, move or remove it; every change can be undone for 30 days.
lists-entry-list = List
lists-entry-scope = Applies to
lists-hindrance-unreadable = This entry cannot be read. It may still apply: enter the same address again to find it, or ask the support.
lists-hindrance-paused = Processing is paused: your lists do not apply until it goes on.
lists-hindrance-refused = Your organisation would not take this entry today. It may have no effect; remove or replace it.
lists-hindrance-enforced = A rule of your organisation comes before this entry.
lists-hindrance-blocked = You block { $by }: blocking wins. For this entry to have an effect, unblock { $by } or accept what it stands for as well.
lists-hindrance-accepted = You accept { $by }: where both are as specific, accepting wins.
lists-hindrance-unmarked = Your personal messages are not marked, by your choice or your organisation’s: see your settings.
lists-hindrance-authentication = This entry holds only for messages whose sender is authenticated: a forged message is not taken for theirs.
lists-hindrance-glob = The relay can read this pattern, unlike an address or a domain.

lists-paste-title = Paste several senders
lists-paste-lead = Paste addresses and domains as they come: from a message, an address book, a table. Nothing is added before you have seen what the console understood.
lists-paste-field = Addresses and domains
lists-paste-hint = With commas, semicolons or line breaks between them. “Name <address>” is fine.
lists-look = Look before adding
lists-import-title = Import a file
lists-import-lead = The console reads tables (CSV), address books (vCard), texts and its own exports. Nothing is added before you have seen what it understood.
lists-import-field = File
lists-import-hint = CSV, vCard, text or JSON, { $megabytes } MB at most.
lists-file-too-large = The file is too large. Split it into several files.
lists-file-empty = No file, or an empty one. Choose a CSV, vCard or text file.
lists-file-binary = This file is no text. Save it as CSV in your spreadsheet program.
lists-preview-title = Before adding
lists-preview-lead = This is what the console understood. Lines that were set aside are named with their reason; the others only wait for your word.
lists-preview-good =
    { $count ->
        [0] No entry to add.
        [one] One entry to add.
       *[other] { $count } entries to add.
    }
lists-preview-bad =
    { $count ->
        [one] One line set aside.
       *[other] { $count } lines set aside.
    }
lists-preview-repeated =
    { $count ->
        [one] One repetition left out.
       *[other] { $count } repetitions left out.
    }
lists-preview-add =
    { $count ->
        [one] Add this entry
       *[other] Add these { $count } entries
    }
lists-preview-move =
    { $count ->
        [one] Move the sender who stands on another of your lists
       *[other] Move the { $count } senders who stand on another of your lists
    }
lists-preview-move-hint = Else they stay on both. A blocked sender stays blocked, even as a personal one.
lists-preview-elsewhere-title = On another list already
lists-preview-elsewhere-list = Current list
lists-preview-none = Add nothing
lists-preview-bad-title = Lines set aside
lists-preview-bad-caption = What will not be added, and why
lists-preview-all-bad = All { $count } lines left out
lists-preview-all-bad-hint = The table shows { $shown }; here are all of them: line number, text, reason. Copy them to mend them.
lists-preview-good-title = Entries to add
lists-preview-caption = { $shown } of { $count }
lists-preview-text = Text
lists-preview-why = Reason
lists-line = Line
lists-suggest-title = Shorter and more lasting
lists-suggest-many = { $count } addresses are of { $domain }: the whole domain covers them all.
lists-suggest-changing = An address of { $domain } seems to change with each message: the domain stays.
lists-suggest-add = Take { $domain } instead

lists-export-title = Export your lists
lists-export-lead = Take your lists and notes along in a file. The file is not protected: keep it in a safe place.
lists-export-csv = Table (CSV)
lists-export-csv-text = For a spreadsheet, and to come back into this console. A text that a spreadsheet would take for a formula has an apostrophe before it.
lists-export-json = JSON
lists-export-json-text = For a program, and to come back into this console.
lists-export-sieve = Sieve script
lists-export-sieve-text = For the rules of another mail server. These rules do not check the sender: a forged message passes for theirs.
lists-export-privacy = The export stays with your browser: the console keeps no copy.

lists-journal-title = Changes
lists-journal-lead = All that changed on your account, and who did it. A change of your lists can be undone for { $days } days.
lists-journal-empty = Nothing has changed so far.
lists-journal-caption = Changes, newest first
lists-journal-when = When and by whom
lists-journal-what = What
lists-journal-more =
    { $count ->
        [one] and one more
       *[other] and { $count } more
    }
lists-journal-undone = undone
lists-journal-number = change number { $number }
lists-journal-older = Older changes
lists-by-user = by you
lists-by-file = by you, from a file
lists-by-system = by the console
lists-by-administrator = by { $name }
lists-kind-entries = Lists changed
lists-kind-undo = Change undone
lists-kind-options = Settings changed
lists-kind-account = Account created
lists-kind-grant = Leave to read given or taken back
lists-kind-grant-used = List read with your leave
lists-kind-disabled = Account disabled
lists-kind-enabled = Account enabled
lists-kind-alias-added = Address added to the account
lists-kind-alias-removed = Address removed from the account
lists-kind-activity-erased = History erased
lists-kind-password-added = Password chosen
lists-kind-password-removed = Password removed
lists-kind-passkey-added = Passkey added
lists-kind-passkey-removed = Passkey removed
lists-kind-recovery-added = Recovery code made
lists-kind-recovery-used = Recovery code used
lists-kind-recovery-removed = Recovery code removed
lists-kind-lock-on = Personal lock set
lists-kind-lock-off = Personal lock taken off
lists-kind-sessions-ended = Sessions ended
lists-kind-fresh-start-asked = Starting anew without the old secrets asked for
lists-kind-fresh-start-cancelled = Starting anew cancelled
lists-kind-secrets-reset = Started anew without the old secrets
lists-kind-unreadable-removed = Unreadable addresses taken off
lists-kind-other = Account changed
lists-did-add = { $value } added ({ $list })
lists-did-remove = { $value } removed ({ $list })
lists-did-note = note on { $value } ({ $list })
lists-did-confirm = { $value } kept ({ $list })
lists-did-reopen = { $value } to be confirmed again ({ $list })
lists-did-leave-out = { $value } left out, the list was full ({ $list })
lists-undone = The change is undone. This can be undone as well.
lists-undone-partly =
    { $left ->
        [one] The change is undone, but for one entry that you changed since.
       *[other] The change is undone, but for { $left } entries that you changed since.
    }
lists-undone-refused =
    { $refused ->
        [one] The change is undone, but for one entry that your organisation would not accept today.
       *[other] The change is undone, but for { $refused } entries that your organisation would not accept today.
    }
lists-undo-refused = Your organisation would not accept these entries today: they do not come back.
lists-undo-unknown = There is nothing to undo: this change did not change your lists, or is not known any more.
lists-undo-expired = This change is more than 30 days old: it cannot be undone any more. Change the list itself.
lists-undo-contradicted = Later changes touch the same entries. Undo those first, or change the list itself.

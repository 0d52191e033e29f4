base-product = Individual mail console
base-error-title = Error:{" "}
base-error = Error:
base-errors = There is a problem
base-skip = Skip to content
base-other-language = Français
base-account = Your account:
base-sign-out = Sign out
base-navigation = Main navigation
base-lists = My lists
base-history = History
base-settings = Settings
base-why = Why?
base-undo = Undo
base-session-ends = The end of your session.
base-session-left = # min left.
base-session-over = It has ended. What you typed stays in this browser.
base-session-again = Sign in again
base-session-stay = Stay signed in
base-session-length =
    { $minutes ->
        [one] Your session ends after a minute without activity.
       *[other] Your session ends after { $minutes } minutes without activity.
    }
base-information = Information
base-help = Help
base-privacy = What your employer can see
base-accessibility = Accessibility: partially conforming
base-home = Back to the start

failure-not-found-title = Page not found
failure-not-found-text = There is no such page, or it is not for you. Check the address, or start again from the first page.
failure-foreign-title = Request refused
failure-foreign-text = This request does not come from a page of the console. Nothing changed: open the page and try again.
failure-malformed-title = Request not understood
failure-malformed-text = The console did not understand what the browser sent. Nothing changed: open the page and try again.
failure-too-large-title = Too large
failure-too-large-text = What you sent is larger than the console accepts. Nothing changed: split the file into parts.
failure-too-many-title = Too many tries
failure-too-many-text =
    { $minutes ->
        [one] There were too many tries from this network or browser. Try again in a minute.
       *[other] There were too many tries from this network or browser. Try again in { $minutes } minutes.
    }
failure-store-away-title = Your lists cannot be reached right now
failure-store-away-text = The console cannot read its data at the moment. Your mail is still handled by your last lists; nothing is lost. Try again in a few minutes.
failure-network-title = Outside of the allowed networks
failure-network-text = Your organisation opens the console to certain networks only, and you are elsewhere. Your mail is still treated by your lists. For anything but the pages below, which are your right wherever you are, come back from the organisation’s network.
failure-locked-title = Personal lock closed
failure-locked-text = Your personal lock is on: a session opened by a message may add to your lists, and not read them. Sign in with your password, passkey or recovery code.
failure-internal-title = Error of the console
failure-internal-text = Something went wrong on our side. Your mail is not affected; try again, and tell the support if it goes on.

sign-in-title = Sign in
sign-in-lead = Enter your work address: a message brings you a code and a link. There is no password to remember.
sign-in-ended = Sign in to go on. A session ends by itself after some time without activity.
sign-in-address = Your address
sign-in-address-hint = That of your work mailbox, for example jane.martin@example.org
sign-in-address-wrong = This is no address. Write it in full, for example jane.martin@example.org
sign-in-send = Send me a code
sign-in-code-title = Enter the code you received
sign-in-code-lead = If this address may use the console, a message was just sent to it. It is good for ten minutes.
sign-in-code = Six-digit code
sign-in-code-hint = It stands in the subject and at the start of the message.
sign-in-code-form = The code has six digits. Copy it as it stands in the message.
sign-in-code-wrong =
    { $left ->
        [one] This is not the code. One try is left.
       *[other] This is not the code. { $left } tries are left.
    }
sign-in-code-void = This code is no longer good. Ask for another.
sign-in-code-link-alone = Too many wrong codes were typed for this address: until { $until } no code is taken. Open the link of the message, in this browser; or sign in with your password, passkey or recovery code, if you have one.
sign-in-confirm = Sign in
sign-in-late-title = The message does not arrive?
sign-in-late-text = Wait a minute or two, then look into your junk folder. Check that the address is yours, too: so as to reveal nothing, the console answers every address in the same way.
sign-in-again = Ask for another code
sign-in-link-title = Confirm the sign-in
sign-in-link-lead = You are about to open the console of:
sign-in-link-elsewhere = This link was asked for in another browser. Go back there and enter the six-digit code of the message.
sign-in-link-void = This link is no longer good. Ask for another code.
sign-in-no-account = This address may not use the console. Ask the manager of your organisation.
sign-in-welcome-first = You are signed in for the first time. A mail administrator could open a mailed link: to be the only one who reads your lists, set your personal lock under “Security”.
sign-in-welcome-back = You are signed in. Previous sign-in: { $at }, from { $network }.
sign-in-out = You are signed out.
sign-in-mail-subject = { $code }: your sign-in code
sign-in-mail-title = Your sign-in code
sign-in-mail-hello = You asked to open your mail console.
sign-in-mail-code = Enter this code on the page that asked for it:
sign-in-mail-link = Or open this link, in the same browser:
sign-in-mail-life = Code and link work once, for ten minutes.
sign-in-mail-ignore = If you did not ask for anything, ignore this message: nobody gets in without it.

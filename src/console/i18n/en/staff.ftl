staff-operator = Operation
staff-add = Add
staff-remove = Remove
staff-save = Save
staff-action = Action
staff-search = Search
staff-search-send = Search
staff-unchanged = Nothing changed: these values were in force already.
staff-announced = Each user of the organisation is told at their next visit.
staff-address = Address
staff-password = Password
staff-password-hint = At least twelve characters; a phrase will do.
staff-password-short = The password has at least twelve characters.
staff-password-long = The password is too long: 256 bytes at most.
staff-password-plain = This password is too easily guessed. Choose some unrelated words.
staff-password-address = This password is made of your address. Choose something else.
staff-code = Six-digit code
staff-code-hint = The one that your authenticator shows.
staff-sign-in-title = Management: sign in
staff-sign-in-lead = For managers of organisations and for operators: password and second factor.
staff-sign-in-refused = Address, password and code do not fit together. Each code is good once: wait for the next.
staff-sign-in-send = Sign in
staff-sign-in-first = First time: I was given an enrolment code
staff-sign-in-users = Run my own lists
staff-enrol-title = Enrol
staff-enrol-lead = The operator gave you a code. It is good once, for 24 hours.
staff-enrol-code = Enrolment code
staff-enrol-code-hint = Six groups of four characters.
staff-enrol-enter = Continue
staff-enrol-unknown = This code is unknown, used or expired. Ask the operator for another.
staff-enrol-for = You enrol:
staff-enrol-first = 1. A password
staff-enrol-second = 2. A second factor
staff-enrol-scan = Scan this square with an authenticator (TOTP).
staff-enrol-qr = Square to scan; the same key is written below.
staff-enrol-typed = Or type this key there:
staff-enrol-code-shown = The one that it shows now.
staff-enrol-code-wrong = This code does not fit. Check the time of your phone, then type the next code.
staff-enrol-confirm = Enrol
staff-enrol-done = You are enrolled. Sign in with the next code.
staff-overview-title = Overview
staff-overview-lead = Your organisation in the console. Everybody’s lists are their own.
staff-totals = Totals per day
staff-totals-hidden = Totals are hidden below ten users: they would tell of persons, not of the organisation.
staff-totals-none = No complete day yet.
staff-totals-caption = Recipients of messages, by complete day (UTC)
staff-totals-day = Day
staff-total-decided = Decided
staff-total-personal = Personal
staff-total-blocked = Blocked
staff-total-wanted = Accepted
staff-privacy-title = What you do not see
staff-privacy-text = Neither the users’ lists, nor how many entries they have, nor their history: no page shows them, no search guesses them.
staff-lists-title = Lists of the organisation
staff-lists-lead = They hold for all users. They are nobody’s private contacts: every manager reads them.
staff-lists-add-title = Add a sender
staff-lists-value = Sender
staff-lists-value-hint = An address (a@b.com), a domain (b.com) or a domain with its subdomains (*.b.com).
staff-lists-list = List
staff-lists-black = Blocked (black list)
staff-lists-white = Accepted (white list)
staff-lists-level = Force
staff-lists-enforced = Enforced
staff-lists-enforced-hint = Comes before the users’ lists.
staff-lists-default = Default
staff-lists-default-hint = Holds for those who said nothing else.
staff-lists-empty = No entry.
staff-lists-caption = Senders on the organisation’s lists
staff-lists-wrong = This is neither an address nor a domain. Write for example a@b.com, b.com or *.b.com.
staff-lists-everybody = This entry would cover everybody. Give an address or a domain.
staff-lists-public-suffix = This is a public suffix, below which strangers have their domains. Give a whole domain.
staff-lists-freemail = Anybody may have an address in this domain. Give the person’s address.
staff-lists-full = This list is full: 10,000 entries.
staff-lists-added = { $value } is on the organisation’s list.
staff-lists-removed = { $value } is no longer on the organisation’s list.
staff-domains-title = Business domains
staff-domains-lead = Nobody can call messages of these domains personal: customers, suppliers, authorities.
staff-domains-field = Domain to protect
staff-domains-hint = For example customer.com; its subdomains are part of it.
staff-domains-protected = Protected domains
staff-domains-none = No domain is protected.
staff-domains-served = Domains of the organisation
staff-domains-served-text = Their own senders can be neither personal nor blocked. The operator changes them.
staff-domains-wrong = This is no domain. Write for example customer.com.
staff-domains-added = { $domain } is protected.
staff-domains-removed = { $domain } is no longer protected.
staff-marking-title = Marking
staff-marking-lead = How a personal message is known. The word should be that of your charter.
staff-marking-tag-text = Text before the subject
staff-marking-tag-hint = For example [PERSO] or [PRIVATE].
staff-marking-folder-name = Folder of personal messages
staff-marking-folder-hint = Letters without accents, digits, hyphens.
staff-marking-actions = Marking of the organisation
staff-marking-choices = Markings that users may choose
staff-marking-tag = Text before the subject
staff-marking-folder = Filing into the folder
staff-marking-mark = Signed mark, not seen when reading
staff-marking-set = The marking is changed, and announced to the users.
staff-wrong-tag = This text cannot stand before a subject: one line of at most 64 bytes.
staff-wrong-folder = This name does not do: letters without accents, digits, - and _, a letter or digit first.
staff-wrong-console-networks = This is no network. Write for example 192.0.2.0/24 or 2001:db8::/32, one a line.
staff-wrong-dpo = One line of at most 200 characters.
staff-conflict-delimiter = Filing needs an address delimiter, and this relay has none. Choose another marking, or ask the operator.
staff-conflict-holds-delimiter = The folder’s name holds the address delimiter. Choose another.
staff-conflict-same-folder = Blocked messages would lie among personal ones. Choose another folder.
staff-conflict-tag-is-spam = This text would be taken for a spam mark and removed. Choose another.
staff-conflict-unproven = Nobody has proven yet that the mail store files into this folder. Ask the operator to send a probe message, then try again.
staff-rules-title = Rules
staff-rules-lead = How long a session stays open, from where the console is used, who has an account.
staff-rules-idle = End of a session without activity
staff-rules-minutes = { $minutes } minutes
staff-rules-networks = Allowed networks
staff-rules-networks-hint = One a line, for example 192.0.2.0/24. Empty: from everywhere. Everybody keeps access to their own data wherever they are.
staff-rules-locked-out = You could not open this page any more: your address is { $address }. Add its network.
staff-rules-create = Accounts
staff-rules-create-on = The first sign-in makes an account
staff-rules-create-hint = For every address in the organisation’s domains. Otherwise only accounts added here sign in.
staff-rules-language = Language of those who chose none
staff-rules-dpo = Data protection officer
staff-rules-dpo-hint = Their name and how to reach them; users read it.
staff-rules-set = The rules are changed.
staff-users-title = Users
staff-users-lead = The accounts of your organisation; never what their lists hold.
staff-users-add = Add a person
staff-users-add-hint = Their address in a domain of the organisation.
staff-users-search = Address that begins with
staff-users-none = No address begins so.
staff-users-caption = Accounts, by address
staff-users-next = Next page
staff-users-wrong = This is no address. Write it whole.
staff-users-foreign = This address is in no domain of your organisation.
staff-users-taken = This address has an account already.
staff-users-added = The account is added.
staff-user-title = User
staff-user-status = Status
staff-user-active = Active
staff-user-inactive = Disabled
staff-user-since = Since
staff-user-aliases = Further addresses
staff-user-sessions-title = Lost device
staff-user-sessions-text = All sessions of this person end, wherever they are open. They sign in again when they like.
staff-user-sessions-end = End their sessions
staff-user-sessions-ended = The sessions of this person have ended.
staff-user-disable-title = Disable the account
staff-user-disable-text = Their mail passes as without lists, and they sign in no more. Nothing is erased.
staff-user-disable = Disable
staff-user-disabled = The account is disabled.
staff-user-enable-title = Enable the account
staff-user-enable-text = Their lists apply again.
staff-user-enable = Enable
staff-user-enabled = The account is enabled.
staff-import-title = Import users
staff-import-lead = A CSV file whose first column is the address, or pasted lines. You first see what will be done.
staff-import-file = File
staff-import-text = Or pasted lines
staff-import-text-hint = One address a line, 5,000 at most.
staff-import-check = Check
staff-import-empty = Choose a file, or paste lines.
staff-import-bad = Lines left out
staff-import-line = Line
staff-import-what = Text
staff-import-why = Reason
staff-import-no-address = This is no address.
staff-import-foreign = In no domain of your organisation.
staff-import-twice = Further up in the file already.
staff-import-too-many = Beyond 5,000 lines: import the rest afterwards.
staff-import-good = Addresses to add
staff-import-confirm = Add these accounts
staff-import-back = Start again
staff-granted-title = Access granted
staff-granted-lead = Lists that users let you read, for a while. They see each look.
staff-granted-none = Nobody granted you access. A user does so themselves, in their menu, at “Support access”.
staff-granted-caption = Live access
staff-granted-list-title = List read
staff-granted-seen = This person sees that you looked at their list.
staff-granted-locked = This person’s personal lock is on: the list does not open.
staff-granted-empty = This list is empty.
staff-granted-altered = An altered entry that cannot be read
staff-health-title = Health
staff-health-lead = What this process knows of itself. No figure here tells of a person.
staff-health-store = Store
staff-health-keys = Keys
staff-health-keys-both = match.key and seal.key
staff-health-keys-match = match.key alone: sealed values do not open here
staff-health-journal = Journal
staff-health-journal-good = The chain verifies
staff-health-journal-bad = The chain is broken:
staff-organisations-title = Organisations
staff-organisations-lead = Each has its domains, settings and managers.
staff-organisations-none = No organisation.
staff-organisations-caption = Organisations served
staff-organisations-add = Add an organisation
staff-organisations-name = Name
staff-organisations-domain = Domain
staff-organisations-name-wrong = The name has 1 to 64 bytes, on one line.
staff-organisations-name-taken = There is an organisation of this name already.
staff-organisations-domain-taken = This domain is another organisation’s.
staff-organisations-domain-used = Users still have addresses in this domain.
staff-organisations-added = The organisation is added.
staff-organisation-title = Organisation
staff-organisation-settings = Settings
staff-organisation-settings-text = The same keys as on the command line; an empty field follows the configuration.
staff-organisation-set = The organisation is changed.
staff-team-title = Staff
staff-team-lead = Operators and managers. None of them reads users’ lists.
staff-team-caption = Members, by address
staff-team-role = Role
staff-team-last = last sign-in
staff-team-self = You
staff-team-invited = Invited
staff-team-active = Active
staff-team-disabled = Disabled
staff-team-enable = Enable
staff-team-disable = Disable
staff-team-reset = Reset
staff-team-add = Add a member
staff-team-add-hint = They get an enrolment code, which you hand over.
staff-team-manager-of = Manager of { $name }
staff-team-wrong = This is no address. Write it whole.
staff-team-taken = This address is a member’s already.
staff-team-refused = The address is too long (64 bytes), or there are a hundred members of this role already.
staff-team-code-title = Enrolment code
staff-team-code-for = Hand this code yourself to
staff-team-code-text = It is good once, for 24 hours, and is not shown again. To be entered at:
staff-team-was-disabled = { $address } can sign in no more.
staff-team-was-enabled = { $address } can sign in again.
staff-team-was-removed = { $address } is no longer a member.
staff-overview-users =
    { $count ->
        [one] One user has an account.
       *[other] { $count } users have accounts.
    }
staff-lists-more =
    { $count ->
        [one] And one more: search for it.
       *[other] And { $count } more: search for them.
    }
staff-import-counts =
    { $good ->
        [one] One line will be taken
       *[other] { $good } lines will be taken
    }, { $bad ->
        [0] none left out.
        [one] one left out.
       *[other] { $bad } left out.
    }
staff-import-done =
    { $accepted ->
        [0] No account added
        [one] One account added
       *[other] { $accepted } accounts added
    }, { $refused ->
        [0] none refused.
        [one] one refused: the address had an account already.
       *[other] { $refused } refused: these addresses had accounts already.
    }

grants-title = Support access
grants-lead = Nobody reads your lists. If you ask for help, you may let one person read one list, for a while; they can change nothing.
grants-locked = Your personal lock is on: nobody else can read your lists, even if you agree. Take it off first if you want help.
grants-nobody = There is nobody to give access to.
grants-person = Person
grants-list = List
grants-list-personal = Personal senders
grants-list-black = Blocked senders
grants-list-white = Accepted senders
grants-time = Time
grants-hint = You are first asked to confirm who you are. You can take the access back at any time.
grants-give = Give access
grants-given = { $name } can read this list.
grants-given-title = Access given
grants-none = You have given no access.
grants-caption = Access, the latest first
grants-expires = Until
grants-used = Read
grants-never = never
grants-was-revoked = taken back
grants-revoke = Take back
grants-revoked = The access is taken back.
grants-hours =
    { $hours ->
        [one] One hour
       *[other] { $hours } hours
    }

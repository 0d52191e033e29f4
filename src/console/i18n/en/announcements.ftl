announcement-read = I have read this
announcement-tag = Your organisation changed the text before the subject of personal messages: “{ $value }”.
announcement-folder = Your organisation changed the folder of personal messages: “{ $value }”.
announcement-markings = Your organisation changed how personal messages are marked.
announcement-protected = Your organisation changed its business domains, which nobody can call personal: { $value }.

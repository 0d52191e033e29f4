sign-in-title = Se connecter
sign-in-lead = Entrez votre adresse professionnelle : un message vous apporte un code et un lien. Il n’y a pas de mot de passe à retenir.
sign-in-ended = Connectez-vous pour continuer. Une session se termine d’elle-même après un temps sans activité.
sign-in-address = Votre adresse
sign-in-address-hint = Celle de votre messagerie professionnelle, par exemple jeanne.martin@exemple.fr
sign-in-address-wrong = Ce n’est pas une adresse. Écrivez-la en entier, par exemple jeanne.martin@exemple.fr
sign-in-send = Recevoir un code
sign-in-code-title = Entrez le code reçu
sign-in-code-lead = Si cette adresse a accès à la console, un message vient de lui être envoyé. Il est valable dix minutes.
sign-in-code = Code à six chiffres
sign-in-code-hint = Il se trouve dans l’objet et au début du message.
sign-in-code-form = Le code a six chiffres. Copiez-le tel qu’il est dans le message.
sign-in-code-wrong =
    { $left ->
        [one] Ce n’est pas le bon code. Il reste un essai.
       *[other] Ce n’est pas le bon code. Il reste { $left } essais.
    }
sign-in-code-void = Ce code n’est plus valable. Demandez-en un autre.
sign-in-code-link-alone = Trop de codes faux ont été entrés pour cette adresse : jusqu’au { $until }, aucun code n’est accepté. Ouvrez plutôt le lien du message, dans ce navigateur ; ou connectez-vous avec votre mot de passe, votre clé d’accès ou votre code de secours, si vous en avez.
sign-in-confirm = Se connecter
sign-in-late-title = Le message n’arrive pas ?
sign-in-late-text = Attendez une minute ou deux, puis regardez dans les indésirables. Vérifiez aussi que l’adresse est bien la vôtre : pour ne rien révéler, la console répond de la même façon à toutes les adresses.
sign-in-again = Demander un autre code
sign-in-link-title = Confirmer la connexion
sign-in-link-lead = Vous allez ouvrir la console de :
sign-in-link-elsewhere = Ce lien a été demandé dans un autre navigateur. Retournez-y et entrez le code à six chiffres du message.
sign-in-link-void = Ce lien n’est plus valable. Demandez un autre code.
sign-in-no-account = Cette adresse n’a pas accès à la console. Adressez-vous au gestionnaire de votre organisation.
sign-in-welcome-first = Vous êtes connecté pour la première fois. Un administrateur de messagerie pourrait ouvrir un lien envoyé par message : pour être seul à lire vos listes, posez votre verrou personnel dans « Sécurité ».
sign-in-welcome-back = Vous êtes connecté. Connexion précédente : { $at }, depuis { $network }.
sign-in-out = Vous êtes déconnecté.
sign-in-mail-subject = { $code } : votre code de connexion
sign-in-mail-title = Votre code de connexion
sign-in-mail-hello = Vous avez demandé à ouvrir votre console de messagerie.
sign-in-mail-code = Entrez ce code dans la page qui vous l’a demandé :
sign-in-mail-link = Ou ouvrez ce lien, dans le même navigateur :
sign-in-mail-life = Le code et le lien servent une fois, pendant dix minutes.
sign-in-mail-ignore = Si vous n’avez rien demandé, ignorez ce message : sans lui, personne n’entre.

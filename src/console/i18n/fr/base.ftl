base-product = Console individuelle de messagerie
base-error-title = Erreur :{" "}
base-error = Erreur :
base-errors = Il y a un problème
base-skip = Aller au contenu
base-other-language = English
base-account = Votre compte :
base-sign-out = Se déconnecter
base-navigation = Navigation principale
base-lists = Mes listes
base-history = Historique
base-settings = Réglages
base-why = Pourquoi ?
base-undo = Annuler
base-session-ends = Fin de votre session.
base-session-left = Il reste # min.
base-session-over = Elle est terminée. Votre saisie reste dans ce navigateur.
base-session-again = Se connecter de nouveau
base-session-stay = Rester connecté
base-session-length =
    { $minutes ->
        [one] Votre session se termine après une minute sans activité.
       *[other] Votre session se termine après { $minutes } minutes sans activité.
    }
base-information = Informations
base-help = Aide
base-privacy = Ce que votre employeur peut voir
base-accessibility = Accessibilité : partiellement conforme
base-home = Retour à l’accueil

failure-not-found-title = Page introuvable
failure-not-found-text = Cette page n’existe pas, ou elle n’est pas pour vous. Vérifiez l’adresse, ou repartez de l’accueil.
failure-foreign-title = Demande refusée
failure-foreign-text = Cette demande ne vient pas d’une page de la console. Rien n’a changé : ouvrez la page et recommencez.
failure-malformed-title = Demande incomprise
failure-malformed-text = La console n’a pas compris ce que le navigateur a envoyé. Rien n’a changé : ouvrez la page et recommencez.
failure-too-large-title = Trop volumineux
failure-too-large-text = Ce que vous avez envoyé dépasse ce que la console accepte. Rien n’a changé : partagez le fichier en plusieurs morceaux.
failure-too-many-title = Trop d’essais
failure-too-many-text =
    { $minutes ->
        [one] Il y a eu trop d’essais depuis ce réseau ou ce navigateur. Réessayez dans une minute.
       *[other] Il y a eu trop d’essais depuis ce réseau ou ce navigateur. Réessayez dans { $minutes } minutes.
    }
failure-store-away-title = Vos listes sont momentanément inaccessibles
failure-store-away-text = La console ne peut pas lire ses données en ce moment. Votre courrier continue d’être traité avec vos dernières listes ; rien n’est perdu. Réessayez dans quelques minutes.
failure-network-title = Hors du réseau autorisé
failure-network-text = Votre organisation n’ouvre la console que depuis certains réseaux, et vous n’y êtes pas. Votre courrier continue d’être traité avec vos listes. Sauf pour les pages ci-dessous, qui sont votre droit où que vous soyez, revenez depuis le réseau de l’organisation.
failure-locked-title = Verrou personnel fermé
failure-locked-text = Votre verrou personnel est en place : une session ouverte par un message peut ajouter à vos listes, pas les lire. Connectez-vous avec votre mot de passe, votre clé d’accès ou votre code de secours.
failure-internal-title = Erreur de la console
failure-internal-text = Une erreur est survenue de notre côté. Votre courrier n’est pas touché ; réessayez, et prévenez l’assistance si cela continue.

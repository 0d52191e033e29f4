grants-title = Accès de l’assistance
grants-lead = Personne ne lit vos listes. Si vous demandez de l’aide, vous pouvez laisser une personne lire une liste, pour un temps ; elle ne peut rien y changer.
grants-locked = Votre verrou personnel est en place : personne d’autre ne peut lire vos listes, même avec votre accord. Levez-le d’abord si vous voulez de l’aide.
grants-nobody = Il n’y a personne à qui donner accès.
grants-person = Personne
grants-list = Liste
grants-list-personal = Expéditeurs personnels
grants-list-black = Expéditeurs bloqués
grants-list-white = Expéditeurs acceptés
grants-time = Durée
grants-hint = Il vous est d’abord demandé de confirmer qui vous êtes. Vous pouvez retirer l’accès à tout moment.
grants-give = Donner accès
grants-given = { $name } peut lire cette liste.
grants-given-title = Accès donnés
grants-none = Vous n’avez donné aucun accès.
grants-caption = Accès, les derniers d’abord
grants-expires = Jusqu’à
grants-used = Consultée
grants-never = jamais
grants-was-revoked = retiré
grants-revoke = Retirer
grants-revoked = L’accès est retiré.
grants-hours =
    { $hours ->
        [one] Une heure
       *[other] { $hours } heures
    }

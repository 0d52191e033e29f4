history-title = Historique
history-lead =
    { $days ->
        [one] Ce que sont devenus vos messages depuis un jour, décidé par vos listes. Jamais l’objet ni le contenu.
       *[other] Ce que sont devenus vos messages des { $days } derniers jours, décidé par vos listes. Jamais l’objet ni le contenu.
    }
history-paste = Expliquer un autre message
history-off-title = L’historique est désactivé
history-off-what = Si vous l’activez, chaque message qui vous est adressé laisse une ligne : l’heure, l’expéditeur, ce qu’il est devenu et pourquoi. Il vous dira aussi combien de messages une entrée aurait concernés, avant que vous l’ajoutiez.
history-off-who =
    { $days ->
        [one] Chaque ligne est scellée pour vous seul, même vis-à-vis du serveur qui l’écrit, et effacée après un jour. Vous pouvez tout effacer à tout moment.
       *[other] Chaque ligne est scellée pour vous seul, même vis-à-vis du serveur qui l’écrit, et effacée après { $days } jours. Vous pouvez tout effacer à tout moment.
    }
history-on = Activer mon historique
history-kept = Votre historique est activé : les prochains messages y figureront.
history-incomplete = Historique incomplet.
history-incomplete-days = Des messages n’ont pas pu être notés : { $days }. Ils ont été remis normalement.
history-empty-title = Aucun message pour l’instant
history-empty-text = Les messages reçus à partir de maintenant apparaîtront ici, quelques secondes après leur arrivée.
history-rows =
    { $all ->
        [one] Un message
       *[other] Messages { $first } à { $last } sur { $all }, du plus récent au plus ancien
    }
history-sender = Expéditeur
history-when = Quand
history-result = Résultat
history-actions = Actions
history-message = message
history-altered = Cette ligne a été modifiée dans la base de données : elle est illisible.
history-no-sender = Sans expéditeur lisible
history-why = Pourquoi ?
history-to-personal = Personnel
history-to-black = Bloquer
history-to-white = Accepter
history-pages = Pages de l’historique
history-newer = Plus récents
history-older = Plus anciens
history-past = Un changement vaut dès le message suivant ; les messages déjà reçus ne changent pas.
history-keeping-title = Conservation
history-keeping =
    { $days ->
        [one] Chaque ligne est effacée après un jour, et au-delà de 500 messages les plus anciens s’effacent. Vous pouvez tout effacer maintenant, ou arrêter.
       *[other] Chaque ligne est effacée après { $days } jours, et au-delà de 500 messages les plus anciens s’effacent. Vous pouvez tout effacer maintenant, ou arrêter.
    }
history-erase = Effacer l’historique
history-erase-title = Effacer tout l’historique ?
history-erase-text = Toutes les lignes sont effacées pour de bon. Vos listes et vos messages ne changent pas, et les prochains messages seront de nouveau notés.
history-erased = Votre historique est effacé.
history-stop = Arrêter l’historique
history-stop-title = Arrêter et effacer l’historique ?
history-stop-text = Plus rien n’est noté, et toutes les lignes sont effacées pour de bon. Vos listes et vos messages ne changent pas.
history-stopped = Votre historique est arrêté et effacé.
history-leave = Ne rien effacer

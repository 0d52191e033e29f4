digest-title = Résumé hebdomadaire
digest-lead = Chaque lundi à partir de 8 heures, un message compte vos messages de la semaine : des nombres, jamais un nom ni une adresse. Il n’y en a pas pour une semaine sans message.
digest-needs-history = Le résumé se compte dans votre historique, qui n’est pas activé.
digest-history = Activer l’historique
digest-locked = Sous votre verrou personnel, personne d’autre que vous ne lit votre historique : aucun résumé n’est envoyé tant qu’il est mis.
digest-is-on = Vous recevez le résumé hebdomadaire.
digest-is-off = Vous ne recevez pas le résumé hebdomadaire.
digest-start = Recevoir le résumé
digest-stop = Ne plus recevoir le résumé
digest-on = Vous recevrez le résumé hebdomadaire, lundi prochain pour la première fois.
digest-off = Vous ne recevrez plus le résumé hebdomadaire.
digest-end-title = Arrêter le résumé hebdomadaire
digest-end-text = Le résumé hebdomadaire ne vous sera plus envoyé. Rien d’autre ne change.
digest-ended = C’est fait : le résumé hebdomadaire ne vous sera plus envoyé. Il se remet dans vos réglages.
digest-subject = Vos messages de la semaine
digest-hello = Bonjour, voici ce que vos messages des sept derniers jours sont devenus :
digest-messages = { $count ->
    [one] un message
   *[other] { $count } messages
 } en tout
digest-personal = { $count ->
    [0] aucun personnel
    [one] dont un personnel
   *[other] dont { $count } personnels
 }
digest-blocked = { $count ->
    [0] aucun bloqué
    [one] dont un bloqué
   *[other] dont { $count } bloqués
 }
digest-accepted = { $count ->
    [0] aucun repris des indésirables
    [one] dont un repris des indésirables, son expéditeur étant accepté
   *[other] dont { $count } repris des indésirables, leurs expéditeurs étant acceptés
 }
digest-incomplete = Des messages manquent peut-être à ce compte.
digest-see = Pour voir lesquels, connectez-vous :
digest-why = Vous recevez ce message parce que vous l’avez demandé dans vos réglages. Pour ne plus le recevoir :
digest-link = Résumé hebdomadaire par courriel

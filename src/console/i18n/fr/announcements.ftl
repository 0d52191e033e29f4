announcement-read = J’ai lu
announcement-tag = Votre organisation a changé le texte placé devant l’objet des messages personnels : « { $value } ».
announcement-folder = Votre organisation a changé le dossier des messages personnels : « { $value } ».
announcement-markings = Votre organisation a changé la façon dont les messages personnels sont marqués.
announcement-protected = Votre organisation a changé ses domaines métier, que personne ne peut déclarer personnels : { $value }.
